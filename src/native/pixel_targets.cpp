// The pixel work that this processor can run, asked when the program runs.
#include <cstring>

#include "pixels.hpp"
#include "processor.hpp"

namespace invdn {

#if !defined(INVDN_HAS_WASM)
namespace plain {
extern const PixelWork pixel_work;
}
#endif
#if defined(INVDN_HAS_X86)
namespace avx2 {
extern const PixelWork pixel_work;
}
#endif
#if defined(INVDN_HAS_NEON)
namespace neon {
extern const PixelWork pixel_work;
}
#endif
#if defined(INVDN_HAS_WASM)
namespace wasm {
extern const PixelWork pixel_work;
}
#endif

const PixelWork* find_pixel_work(const char* instructions) {
  const auto asked = [&](const char* name) {
    return std::strcmp(instructions, "auto") == 0 || std::strcmp(instructions, name) == 0;
  };
#if defined(INVDN_HAS_X86)
  if (asked("avx2") && has_avx(false)) return &avx2::pixel_work;
#endif
#if defined(INVDN_HAS_NEON)
  if (asked("neon")) return &neon::pixel_work;
#endif
#if defined(INVDN_HAS_WASM)
  return asked("wasm") ? &wasm::pixel_work : nullptr;
#else
  return asked("plain") ? &plain::pixel_work : nullptr;
#endif
}

}  // namespace invdn
