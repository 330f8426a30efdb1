// The kernels that this processor can run, asked when the program runs.
#include <cstring>

#include "kernels.hpp"
#include "processor.hpp"

#if defined(INVDN_HAS_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

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

namespace {

#if defined(INVDN_HAS_X86)
#if defined(INVDN_HAS_AMX)

// The system must be asked for the tiles, once for the process (Linux documentation,
// arch/x86/xstate).
bool has_amx() {
  if (!has_avx(true) || !__builtin_cpu_supports("avx512bw")) return false;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  const bool tiles = (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0;  // AMX-BF16, AMX-TILE
  if (!tiles || __get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return false;
  constexpr int request_permission = 0x1023, tile_data = 18;
  return (a >> 5 & 1) != 0 && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

#endif
#endif

}  // namespace

const Kernels* find_kernels(const char* name, Precision precision) {
  const bool any = std::strcmp(name, "auto") == 0;
  const auto asked = [&](const Kernels& kernels) {
    return kernels.bfloat16 == (precision != Precision::float32) &&
           (any || std::strcmp(name, kernels.name) == 0);
  };
#if defined(INVDN_HAS_X86)
#if defined(INVDN_HAS_AMX)
  if (asked(amx::kernels) && has_amx()) return &amx::kernels;
#endif
  if (asked(avx512::kernels) && has_avx(true)) return &avx512::kernels;
  if (asked(avx2::kernels) && has_avx(false)) return &avx2::kernels;
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
