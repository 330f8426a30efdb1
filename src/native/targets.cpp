// The kernels that this processor can run, asked when the program runs.
#include <cstring>

#include "kernels.hpp"
#include "processor.hpp"

namespace invdn {

#if !defined(INVDN_HAS_WASM)
namespace plain {
extern const Kernels kernels;
}
#endif
#if defined(INVDN_HAS_X86)
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
#if defined(INVDN_HAS_AVX512_BF16)
namespace avx512_bf16 {
extern const Kernels kernels;
}
#endif
#if defined(INVDN_HAS_AMX)
namespace amx {
extern const Kernels kernels;
}
#endif
#endif
#if defined(INVDN_HAS_WASM)
namespace wasm {
extern const Kernels kernels;
}
#endif
#if defined(INVDN_HAS_NEON)
namespace neon {
extern const Kernels kernels;
}
#endif
#if defined(INVDN_HAS_NEON_BF16)
namespace neon_bf16 {
extern const Kernels kernels;
}
#endif

namespace {

bool computes_in(const Kernels& kernels, Precision precision) {
  if (kernels.halves == Halves::none) return precision == Precision::float32;
  if (precision == Precision::bfloat16x3) return kernels.halves == Halves::tiles;
  return precision != Precision::float32;
}

}  // namespace

const Kernels* find_kernels(const char* name, Precision precision) {
  const bool any = std::strcmp(name, "auto") == 0;
  const auto asked = [&](const Kernels& kernels) {
    return computes_in(kernels, precision) && (any || std::strcmp(name, kernels.name) == 0);
  };
#if defined(INVDN_HAS_X86)
#if defined(INVDN_HAS_AMX)
  if (asked(amx::kernels) && has_amx()) return &amx::kernels;
#endif
#if defined(INVDN_HAS_AVX512_BF16)
  if (asked(avx512_bf16::kernels) && has_avx512_bf16()) return &avx512_bf16::kernels;
#endif
  if (asked(avx512::kernels) && has_avx(true)) return &avx512::kernels;
  if (asked(avx2::kernels) && has_avx(false)) return &avx2::kernels;
#endif
#if defined(INVDN_HAS_NEON_BF16)
  if (asked(neon_bf16::kernels) && has_neon_bf16()) return &neon_bf16::kernels;
#endif
#if defined(INVDN_HAS_NEON)
  if (asked(neon::kernels)) return &neon::kernels;  // part of every 64-bit ARM
#endif
#if defined(INVDN_HAS_WASM)
  return asked(wasm::kernels) ? &wasm::kernels : nullptr;  // a module has no more than it needs
#else
  return asked(plain::kernels) ? &plain::kernels : nullptr;
#endif
}

}  // namespace invdn
