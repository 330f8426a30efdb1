#include "haar.hpp"

namespace invdn {
namespace {

struct Four {
  float a, b, c, d;
};

Four butterfly(const Four& x) {
  const float top = x.a + x.b, bottom = x.c + x.d;
  const float top_edge = x.a - x.b, bottom_edge = x.c - x.d;
  return {top + bottom, top_edge + bottom_edge, top - bottom, top_edge - bottom_edge};
}

// One pixel of a map, by channel.
struct Pixel {
  float* split;
  float* rest;
  int channels;  // of split

  float& operator[](int channel) const {
    return channel < channels ? split[channel] : rest[channel - channels];
  }
};

Pixel pixel(const Map& map, int y, int x) {
  return {map.split.row(y) + static_cast<std::ptrdiff_t>(x) * map.split.channels(),
          map.rest.row(y) + static_cast<std::ptrdiff_t>(x) * map.rest.channels(),
          map.split_channels};
}

void put_bands(const Pixel& to, int channel, int channels, const Four& bands) {
  to[channel] = bands.a * 0.25F;
  to[channels + channel] = bands.b * 0.25F;
  to[2 * channels + channel] = bands.c * 0.25F;
  to[3 * channels + channel] = bands.d * 0.25F;
}

Four bands_of(const Pixel& from, int channel, int channels) {
  return butterfly({from[channel], from[channels + channel], from[2 * channels + channel],
                    from[3 * channels + channel]});
}

}  // namespace

void analyse(const View& picture, int channels, const Map& to, int begin, int end) {
  for (int y = begin; y < end; ++y) {
    for (int x = 0; x < to.split.width(); ++x) {
      const Pixel target = pixel(to, y, x);
      for (int c = 0; c < channels; ++c) {
        const float* top = picture.data + c * picture.channel + 2 * (y - begin) * picture.row +
                           2 * x * picture.column;
        const float* bottom = top + picture.row;
        put_bands(target, c, channels,
                  butterfly({top[0], top[picture.column], bottom[0], bottom[picture.column]}));
      }
    }
  }
}

void analyse(const Map& from, const Map& to, int begin, int end) {
  const int channels = from.split_channels + from.rest_channels;
  for (int y = begin; y < end; ++y) {
    for (int x = 0; x < to.split.width(); ++x) {
      const Pixel target = pixel(to, y, x);
      const Pixel a = pixel(from, 2 * y, 2 * x), b = pixel(from, 2 * y, 2 * x + 1);
      const Pixel c = pixel(from, 2 * y + 1, 2 * x), d = pixel(from, 2 * y + 1, 2 * x + 1);
      for (int i = 0; i < channels; ++i) {
        put_bands(target, i, channels, butterfly({a[i], b[i], c[i], d[i]}));
      }
    }
  }
}

void synthesise(const Map& from, const Map& to, int begin, int end) {
  const int channels = to.split_channels + to.rest_channels;
  for (int y = begin; y < end; ++y) {
    for (int x = 0; x < from.split.width(); ++x) {
      const Pixel source = pixel(from, y, x);
      const Pixel a = pixel(to, 2 * y, 2 * x), b = pixel(to, 2 * y, 2 * x + 1);
      const Pixel c = pixel(to, 2 * y + 1, 2 * x), d = pixel(to, 2 * y + 1, 2 * x + 1);
      for (int i = 0; i < channels; ++i) {
        const Four values = bands_of(source, i, channels);
        a[i] = values.a;
        b[i] = values.b;
        c[i] = values.c;
        d[i] = values.d;
      }
    }
  }
}

void synthesise(const Map& from, int channels, const Target& picture, int begin, int end) {
  for (int y = begin; y < end; ++y) {
    for (int x = 0; x < from.split.width(); ++x) {
      const Pixel source = pixel(from, y, x);
      for (int c = 0; c < channels; ++c) {
        const Four values = bands_of(source, c, channels);
        float* top = picture.data + c * picture.channel + 2 * (y - begin) * picture.row + 2 * x;
        float* bottom = top + picture.row;
        top[0] = values.a;
        top[1] = values.b;
        bottom[0] = values.c;
        bottom[1] = values.d;
      }
    }
  }
}

void fill(const View& from, int channels, const Plane& to, int begin, int end) {
  for (int y = begin; y < end; ++y) {
    float* pixel = to.row(y);
    for (int x = 0; x < to.width(); ++x, pixel += to.channels()) {
      for (int c = 0; c < channels; ++c) {
        pixel[c] = from.data[c * from.channel + (y - begin) * from.row + x * from.column];
      }
    }
  }
}

void copy(const Plane& from, int channels, const Target& to, int begin, int end) {
  for (int y = begin; y < end; ++y) {
    const float* pixel = from.row(y);
    for (int x = 0; x < from.width(); ++x, pixel += from.channels()) {
      for (int c = 0; c < channels; ++c) {
        to.data[c * to.channel + (y - begin) * to.row + x] = pixel[c];
      }
    }
  }
}

}  // namespace invdn
