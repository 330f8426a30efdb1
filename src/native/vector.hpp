// A thin vector of floats, one spelling for every instruction set.
//
// `Wide` is the widest vector of the target and `Narrow` holds at most eight floats, so that maps
// whose channels are padded to a multiple of eight divide into both. Only what the kernels need is
// here. A file that includes this is compiled once for each target, with the target's name in
// INVDN_TARGET, and everything lies in a namespace of that name: code for one instruction set must
// never be merged with code for another.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(INVDN_AVX512) || defined(INVDN_AVX2)
#include <immintrin.h>
#elif defined(INVDN_NEON)
#include <arm_neon.h>
#elif defined(INVDN_WASM)
#include <wasm_simd128.h>
#endif

#if defined(__clang__)
#define INVDN_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define INVDN_UNROLL _Pragma("GCC unroll 36")
#else
#define INVDN_UNROLL
#endif

#if defined(_MSC_VER)
#define INVDN_INLINE_METHOD __forceinline
#else
#define INVDN_INLINE_METHOD inline __attribute__((always_inline))
#endif
#define INVDN_INLINE static INVDN_INLINE_METHOD

namespace invdn::INVDN_TARGET {
namespace {

#if defined(INVDN_AVX512)

struct Vector16 {
  static constexpr int width = 16;
  __m512 value;
};

INVDN_INLINE Vector16 operator+(Vector16 a, Vector16 b) {
  return {_mm512_add_ps(a.value, b.value)};
}
INVDN_INLINE Vector16 operator-(Vector16 a, Vector16 b) {
  return {_mm512_sub_ps(a.value, b.value)};
}
INVDN_INLINE Vector16 operator*(Vector16 a, Vector16 b) {
  return {_mm512_mul_ps(a.value, b.value)};
}
INVDN_INLINE Vector16 operator/(Vector16 a, Vector16 b) {
  return {_mm512_div_ps(a.value, b.value)};
}
INVDN_INLINE Vector16 max(Vector16 a, Vector16 b) { return {_mm512_max_ps(a.value, b.value)}; }
INVDN_INLINE Vector16 min(Vector16 a, Vector16 b) { return {_mm512_min_ps(a.value, b.value)}; }
INVDN_INLINE Vector16 multiply_add(Vector16 a, Vector16 b, Vector16 c) {
  return {_mm512_fmadd_ps(a.value, b.value, c.value)};
}
INVDN_INLINE void store(float* to, Vector16 a) { _mm512_storeu_ps(to, a.value); }
INVDN_INLINE void load(const float* from, Vector16& a) { a.value = _mm512_loadu_ps(from); }
INVDN_INLINE void fill(float x, Vector16& a) { a.value = _mm512_set1_ps(x); }
// The nearest whole number, and y * 2^n for such a number n of -126 to 127.
INVDN_INLINE Vector16 nearest(Vector16 a) { return {_mm512_roundscale_ps(a.value, 8)}; }
INVDN_INLINE Vector16 times_power_of_two(Vector16 y, Vector16 n) {
  const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n.value), _mm512_set1_epi32(127));
  return {_mm512_mul_ps(y.value, _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23)))};
}

#endif

using Half = std::uint16_t;  // a bfloat16

#if defined(INVDN_AVX512) || defined(INVDN_AVX2)

struct Vector8 {
  static constexpr int width = 8;
  __m256 value;
};

INVDN_INLINE Vector8 operator+(Vector8 a, Vector8 b) { return {_mm256_add_ps(a.value, b.value)}; }
INVDN_INLINE Vector8 operator-(Vector8 a, Vector8 b) { return {_mm256_sub_ps(a.value, b.value)}; }
INVDN_INLINE Vector8 operator*(Vector8 a, Vector8 b) { return {_mm256_mul_ps(a.value, b.value)}; }
INVDN_INLINE Vector8 operator/(Vector8 a, Vector8 b) { return {_mm256_div_ps(a.value, b.value)}; }
INVDN_INLINE Vector8 max(Vector8 a, Vector8 b) { return {_mm256_max_ps(a.value, b.value)}; }
INVDN_INLINE Vector8 min(Vector8 a, Vector8 b) { return {_mm256_min_ps(a.value, b.value)}; }
INVDN_INLINE Vector8 multiply_add(Vector8 a, Vector8 b, Vector8 c) {
  return {_mm256_fmadd_ps(a.value, b.value, c.value)};
}
INVDN_INLINE void store(float* to, Vector8 a) { _mm256_storeu_ps(to, a.value); }
INVDN_INLINE void load(const float* from, Vector8& a) { a.value = _mm256_loadu_ps(from); }
INVDN_INLINE void fill(float x, Vector8& a) { a.value = _mm256_set1_ps(x); }
INVDN_INLINE Vector8 nearest(Vector8 a) { return {_mm256_round_ps(a.value, 8)}; }
INVDN_INLINE Vector8 times_power_of_two(Vector8 y, Vector8 n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.value), _mm256_set1_epi32(127));
  return {_mm256_mul_ps(y.value, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)))};
}

#if defined(INVDN_AVX512) && defined(INVDN_BF16)
// The nearest bfloat16, ties to even.
INVDN_INLINE __m256i rounded(Vector16 a) { return (__m256i)_mm512_cvtneps_pbh(a.value); }
INVDN_INLINE __m128i rounded(Vector8 a) { return (__m128i)_mm256_cvtneps_pbh(a.value); }
INVDN_INLINE Vector16 widened(__m256i a) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(a), 16))};
}
INVDN_INLINE Vector8 widened(__m128i a) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(a), 16))};
}
INVDN_INLINE void store(Half* to, __m256i a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a);
}
INVDN_INLINE void store(Half* to, __m128i a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), a);
}
INVDN_INLINE void store(Half* to, Vector16 a) { store(to, rounded(a)); }
INVDN_INLINE void store(Half* to, Vector8 a) { store(to, rounded(a)); }
// The float of each lane of a and b is a pair of bfloat16: c and both products.
INVDN_INLINE Vector16 multiply_add_pairs(Vector16 a, Vector16 b, Vector16 c) {
  return {_mm512_dpbf16_ps(c.value, (__m512bh)a.value, (__m512bh)b.value)};
}
INVDN_INLINE Vector8 multiply_add_pairs(Vector8 a, Vector8 b, Vector8 c) {
  return {_mm256_dpbf16_ps(c.value, (__m256bh)a.value, (__m256bh)b.value)};
}
#endif

using Narrow = Vector8;
#if defined(INVDN_AVX512)
using Wide = Vector16;
#else
using Wide = Vector8;
#endif

#elif defined(INVDN_NEON)

struct Vector4 {
  static constexpr int width = 4;
  float32x4_t value;
};

INVDN_INLINE Vector4 operator+(Vector4 a, Vector4 b) { return {vaddq_f32(a.value, b.value)}; }
INVDN_INLINE Vector4 operator-(Vector4 a, Vector4 b) { return {vsubq_f32(a.value, b.value)}; }
INVDN_INLINE Vector4 operator*(Vector4 a, Vector4 b) { return {vmulq_f32(a.value, b.value)}; }
INVDN_INLINE Vector4 operator/(Vector4 a, Vector4 b) { return {vdivq_f32(a.value, b.value)}; }
INVDN_INLINE Vector4 max(Vector4 a, Vector4 b) { return {vmaxq_f32(a.value, b.value)}; }
INVDN_INLINE Vector4 min(Vector4 a, Vector4 b) { return {vminq_f32(a.value, b.value)}; }
INVDN_INLINE Vector4 multiply_add(Vector4 a, Vector4 b, Vector4 c) {
  return {vfmaq_f32(c.value, a.value, b.value)};
}
INVDN_INLINE void store(float* to, Vector4 a) { vst1q_f32(to, a.value); }
INVDN_INLINE void load(const float* from, Vector4& a) { a.value = vld1q_f32(from); }
INVDN_INLINE void fill(float x, Vector4& a) { a.value = vdupq_n_f32(x); }
INVDN_INLINE Vector4 nearest(Vector4 a) { return {vrndnq_f32(a.value)}; }
INVDN_INLINE Vector4 times_power_of_two(Vector4 y, Vector4 n) {
  const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(n.value), vdupq_n_s32(127));
  return {vmulq_f32(y.value, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)))};
}
#if defined(INVDN_BF16)
INVDN_INLINE void store(Half* to, Vector4 a) {
  vst1_u16(to, vreinterpret_u16_bf16(vcvt_bf16_f32(a.value)));
}
INVDN_INLINE Vector4 multiply_add_pairs(Vector4 a, Vector4 b, Vector4 c) {
  return {vbfdotq_f32(c.value, vreinterpretq_bf16_f32(a.value), vreinterpretq_bf16_f32(b.value))};
}
#endif

using Narrow = Vector4;
using Wide = Vector4;

#elif defined(INVDN_WASM)

// Four floats of WebAssembly's SIMD128. With relaxed SIMD (-mrelaxed-simd) a multiply-add is joined
// wherever the processor can, so its last bits depend on the processor; without, never.
struct Vector4 {
  static constexpr int width = 4;
  v128_t value;
};

INVDN_INLINE Vector4 operator+(Vector4 a, Vector4 b) { return {wasm_f32x4_add(a.value, b.value)}; }
INVDN_INLINE Vector4 operator-(Vector4 a, Vector4 b) { return {wasm_f32x4_sub(a.value, b.value)}; }
INVDN_INLINE Vector4 operator*(Vector4 a, Vector4 b) { return {wasm_f32x4_mul(a.value, b.value)}; }
INVDN_INLINE Vector4 operator/(Vector4 a, Vector4 b) { return {wasm_f32x4_div(a.value, b.value)}; }
// pmax and pmin are one instruction of x86 where max and min take several; they differ for NaN.
INVDN_INLINE Vector4 max(Vector4 a, Vector4 b) { return {wasm_f32x4_pmax(b.value, a.value)}; }
INVDN_INLINE Vector4 min(Vector4 a, Vector4 b) { return {wasm_f32x4_pmin(b.value, a.value)}; }
INVDN_INLINE Vector4 multiply_add(Vector4 a, Vector4 b, Vector4 c) {
#if defined(__wasm_relaxed_simd__)
  return {wasm_f32x4_relaxed_madd(a.value, b.value, c.value)};
#else
  return {wasm_f32x4_add(wasm_f32x4_mul(a.value, b.value), c.value)};
#endif
}
INVDN_INLINE void store(float* to, Vector4 a) { wasm_v128_store(to, a.value); }
INVDN_INLINE void load(const float* from, Vector4& a) { a.value = wasm_v128_load(from); }
INVDN_INLINE void fill(float x, Vector4& a) { a.value = wasm_f32x4_splat(x); }
INVDN_INLINE Vector4 nearest(Vector4 a) { return {wasm_f32x4_nearest(a.value)}; }
INVDN_INLINE Vector4 times_power_of_two(Vector4 y, Vector4 n) {
  const v128_t exponent =
      wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n.value), wasm_i32x4_splat(127));
  return {wasm_f32x4_mul(y.value, wasm_i32x4_shl(exponent, 23))};
}

using Narrow = Vector4;
using Wide = Vector4;

#else  // plain: four floats that any compiler can keep together

struct Vector4 {
  static constexpr int width = 4;
  float value[4];
};

#define INVDN_EACH(expression)                                \
  Vector4 result;                                             \
  INVDN_UNROLL                                                \
  for (int i = 0; i < 4; ++i) result.value[i] = (expression); \
  return result

INVDN_INLINE Vector4 operator+(Vector4 a, Vector4 b) { INVDN_EACH(a.value[i] + b.value[i]); }
INVDN_INLINE Vector4 operator-(Vector4 a, Vector4 b) { INVDN_EACH(a.value[i] - b.value[i]); }
INVDN_INLINE Vector4 operator*(Vector4 a, Vector4 b) { INVDN_EACH(a.value[i] * b.value[i]); }
INVDN_INLINE Vector4 operator/(Vector4 a, Vector4 b) { INVDN_EACH(a.value[i] / b.value[i]); }
INVDN_INLINE Vector4 max(Vector4 a, Vector4 b) {
  INVDN_EACH(a.value[i] > b.value[i] ? a.value[i] : b.value[i]);
}
INVDN_INLINE Vector4 min(Vector4 a, Vector4 b) {
  INVDN_EACH(a.value[i] < b.value[i] ? a.value[i] : b.value[i]);
}
INVDN_INLINE Vector4 multiply_add(Vector4 a, Vector4 b, Vector4 c) {
  INVDN_EACH(a.value[i] * b.value[i] + c.value[i]);
}
INVDN_INLINE void store(float* to, Vector4 a) {
  INVDN_UNROLL
  for (int i = 0; i < 4; ++i) to[i] = a.value[i];
}
INVDN_INLINE void load(const float* from, Vector4& a) {
  INVDN_UNROLL
  for (int i = 0; i < 4; ++i) a.value[i] = from[i];
}
INVDN_INLINE void fill(float x, Vector4& a) {
  INVDN_UNROLL
  for (int i = 0; i < 4; ++i) a.value[i] = x;
}
INVDN_INLINE float nearest_whole(float x) {
  return static_cast<float>(static_cast<std::int32_t>(x + (x < 0 ? -0.5F : 0.5F)));
}
INVDN_INLINE float power_of_two(float n) {
  union {
    std::uint32_t bits;
    float value;
  } both{static_cast<std::uint32_t>(static_cast<std::int32_t>(n) + 127) << 23};
  return both.value;
}
INVDN_INLINE Vector4 nearest(Vector4 a) { INVDN_EACH(nearest_whole(a.value[i])); }
INVDN_INLINE Vector4 times_power_of_two(Vector4 y, Vector4 n) {
  INVDN_EACH(y.value[i] * power_of_two(n.value[i]));
}
#undef INVDN_EACH

using Narrow = Vector4;
using Wide = Vector4;

#endif

template <class V>
INVDN_INLINE V loaded(const float* from) {
  V result;
  load(from, result);
  return result;
}

template <class V>
INVDN_INLINE V set1(float x) {
  V result;
  fill(x, result);
  return result;
}

// a b + c; with Pairs every lane of a and b is two bfloat16, and both products are added.
template <bool Pairs, class V>
INVDN_INLINE V multiply_add_units(V a, V b, V c) {
  if constexpr (Pairs) {
    return multiply_add_pairs(a, b, c);
  } else {
    return multiply_add(a, b, c);
  }
}

// Registers for accumulators: rows of the product that are worked on at once, by the number of
// vectors in a row. Left over are registers for one row of weights and a broadcast input.
#if defined(INVDN_AVX512) || defined(INVDN_NEON)
constexpr int most_vectors = 4;
constexpr int rows_at_once(int vectors) { return vectors == 1 ? 12 : 24 / vectors; }
#elif defined(INVDN_AVX2)
constexpr int most_vectors = 2;
constexpr int rows_at_once(int vectors) { return 12 / vectors; }
#elif defined(INVDN_WASM)
// Of the sixteen registers of x86, eight sums leave enough for engines; ten spill and halve the
// rate.
constexpr int most_vectors = 2;
constexpr int rows_at_once(int vectors) { return 8 / vectors; }
#else
constexpr int most_vectors = 4;
constexpr int rows_at_once(int vectors) { return vectors >= 3 ? 2 : 4; }
#endif

}  // namespace
}  // namespace invdn::INVDN_TARGET
