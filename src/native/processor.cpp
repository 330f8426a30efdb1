#include "processor.hpp"

#if defined(INVDN_HAS_X86) && defined(_MSC_VER) && !defined(__clang__)
#include <immintrin.h>
#include <intrin.h>
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

#endif

#endif

}  // namespace invdn
