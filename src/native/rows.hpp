// Where a map's values lie.
#pragma once

#include "kernels.hpp"
#include "vector.hpp"

namespace invdn::INVDN_TARGET {
namespace {

INVDN_INLINE int min(int a, int b) { return a < b ? a : b; }

INVDN_INLINE float* place(const Rows& rows, int y, int x, int channel) {
  return rows.row[y - rows.first] + x * static_cast<std::ptrdiff_t>(rows.pixel) + rows.channel +
         channel;
}

}  // namespace
}  // namespace invdn::INVDN_TARGET
