#include "processor.hpp"

#include <cstddef>

#if defined(INVDN_HAS_X86) && defined(_MSC_VER) && !defined(__clang__)
#include <immintrin.h>
#include <intrin.h>
#elif defined(INVDN_HAS_X86)
#include <cpuid.h>
#endif
#if defined(INVDN_HAS_AMX)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(INVDN_HAS_NEON_BF16) && defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(INVDN_HAS_NEON_BF16)
#include <sys/auxv.h>
#endif

namespace invdn {

#if defined(INVDN_HAS_X86)
#if defined(_MSC_VER) && !defined(__clang__)

// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 14.3 and 15.2: the
// processor must know the instructions and the system must keep the registers.
bool has_avx(bool wide) {
  int leaf[4];
  __cpuid(leaf, 1);
  const bool fma = (leaf[2] >> 12 & 1) != 0, saved = (leaf[2] >> 27 & 1) != 0;
  if (!fma || !saved) return false;
  const unsigned long long state = _xgetbv(0);
  __cpuidex(leaf, 7, 0);
  const bool avx2 = (leaf[1] >> 5 & 1) != 0 && (state & 0x6) == 0x6;
  const bool avx512 =
      (leaf[1] >> 16 & 1) != 0 && (leaf[1] >> 31 & 1) != 0 && (state & 0xe6) == 0xe6;
  return avx2 && (avx512 || !wide);
}

#else

bool has_avx(bool wide) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return avx2 &&
         (!wide || (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")));
}

bool has_avx512_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_avx(true) && __builtin_cpu_supports("avx512bw") &&
         __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 5 & 1) != 0;
}

#if defined(INVDN_HAS_AMX)

// Linux documentation, arch/x86/xstate.
bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!has_avx512_bf16() || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  const bool tiles = (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0;  // AMX-BF16, AMX-TILE
  constexpr int request_permission = 0x1023, tile_data = 18;
  return tiles && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

#endif

#endif

#endif

#if defined(INVDN_HAS_NEON_BF16)

bool has_neon_bf16() {
#if defined(__APPLE__)
  int known = 0;
  std::size_t size = sizeof known;
  return sysctlbyname("hw.optional.arm.FEAT_BF16", &known, &size, nullptr, 0) == 0 && known != 0;
#else
  constexpr unsigned long bf16 = 1UL << 14;  // HWCAP2_BF16 of Linux
  return (getauxval(AT_HWCAP2) & bf16) != 0;
#endif
}

#endif

}  // namespace invdn
