// What the processor knows, asked when the program runs.
#pragma once

namespace invdn {

// AVX2 with FMA, and with `wide` AVX-512 as well; on x86 only.
bool has_avx(bool wide);

}  // namespace invdn
