// What the processor knows, asked when the program runs.
#pragma once

namespace invdn {

// AVX2 with FMA, and with `wide` AVX-512 as well; on x86 only.
bool has_avx(bool wide);

// Products of pairs of bfloat16: AVX512-BF16 beside AVX-512, and FEAT_BF16 on 64-bit ARM.
bool has_avx512_bf16();
bool has_neon_bf16();

// Tiles of bfloat16. The system is asked for them, once for the process.
bool has_amx();

}  // namespace invdn
