// JPEG for JavaScript: libjpeg-turbo, rows in and rows out. 0 or a null pointer is a failure, and
// `jpeg_problem` says which; src/browser/formats/jpeg.js is the only caller.
#include <emscripten.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jpeglib.h"
#include "jerror.h"

static char problem[JMSG_LENGTH_MAX];

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf back;
} Errors;

static void fail(j_common_ptr info) {
  info->err->format_message(info, problem);
  longjmp(((Errors*)info->err)->back, 1);
}

// A warning is damage: the decoder would go on with grey.
static void warn(j_common_ptr info, int level) {
  if (level < 0 && info->err->num_warnings++ == 0) info->err->format_message(info, problem);
}

static struct jpeg_error_mgr* prepare(Errors* errors) {
  struct jpeg_error_mgr* result = jpeg_std_error(&errors->base);
  result->error_exit = fail;
  result->emit_message = warn;
  problem[0] = 0;
  return result;
}

EMSCRIPTEN_KEEPALIVE const char* jpeg_problem(void) { return problem; }

typedef struct {
  struct jpeg_decompress_struct info;
  Errors errors;
} Decoder;

EMSCRIPTEN_KEEPALIVE void jpeg_decoder_close(Decoder* decoder) {
  jpeg_destroy_decompress(&decoder->info);
  free(decoder);
}

// Bytes that stay where they are until the decoder is closed. Colours come out as RGB, grey as grey.
EMSCRIPTEN_KEEPALIVE Decoder* jpeg_decoder(const unsigned char* data, unsigned long size) {
  Decoder* decoder = calloc(1, sizeof(Decoder));
  if (!decoder) return NULL;
  decoder->info.err = prepare(&decoder->errors);
  if (setjmp(decoder->errors.back)) {
    jpeg_decoder_close(decoder);
    return NULL;
  }
  jpeg_create_decompress(&decoder->info);
  jpeg_mem_src(&decoder->info, data, size);
  jpeg_read_header(&decoder->info, TRUE);
  return decoder;
}

EMSCRIPTEN_KEEPALIVE int jpeg_width(const Decoder* decoder) { return decoder->info.image_width; }
EMSCRIPTEN_KEEPALIVE int jpeg_height(const Decoder* decoder) { return decoder->info.image_height; }
EMSCRIPTEN_KEEPALIVE int jpeg_components(const Decoder* decoder) {
  return decoder->info.num_components;
}

EMSCRIPTEN_KEEPALIVE int jpeg_start(Decoder* decoder) {
  if (setjmp(decoder->errors.back)) return 0;
  decoder->info.out_color_space = decoder->info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  return jpeg_start_decompress(&decoder->info);
}

// The next rows, as many as there are up to `count`; 0 where it fails.
EMSCRIPTEN_KEEPALIVE int jpeg_read(Decoder* decoder, unsigned char* rows, int count) {
  if (setjmp(decoder->errors.back)) return 0;
  struct jpeg_decompress_struct* info = &decoder->info;
  const size_t stride = (size_t)info->output_width * info->output_components;
  int done = 0;
  while (done < count && info->output_scanline < info->output_height) {
    JSAMPROW row = rows + stride * done;
    done += jpeg_read_scanlines(info, &row, 1);
  }
  return done;
}

// Whether everything could be read without a doubt; after the last row.
EMSCRIPTEN_KEEPALIVE int jpeg_sound(const Decoder* decoder) {
  return decoder->info.err->num_warnings == 0;
}

typedef struct {
  struct jpeg_compress_struct info;
  Errors errors;
  unsigned char* data;
  unsigned long size;
} Encoder;

EMSCRIPTEN_KEEPALIVE void jpeg_encoder_close(Encoder* encoder) {
  jpeg_destroy_compress(&encoder->info);
  free(encoder->data);
  free(encoder);
}

// channels: 1 or 3; halved: chroma at half the resolution (4:2:0) instead of all of it (4:4:4).
EMSCRIPTEN_KEEPALIVE Encoder* jpeg_encoder(int width, int height, int channels, int quality,
                                           int halved) {
  Encoder* encoder = calloc(1, sizeof(Encoder));
  if (!encoder) return NULL;
  struct jpeg_compress_struct* info = &encoder->info;
  info->err = prepare(&encoder->errors);
  if (setjmp(encoder->errors.back)) {
    jpeg_encoder_close(encoder);
    return NULL;
  }
  jpeg_create_compress(info);
  jpeg_mem_dest(info, &encoder->data, &encoder->size);
  info->image_width = width;
  info->image_height = height;
  info->input_components = channels;
  info->in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(info);
  jpeg_set_quality(info, quality, TRUE);
  if (!halved) {
    for (int i = 0; i < info->num_components; ++i) {
      info->comp_info[i].h_samp_factor = info->comp_info[i].v_samp_factor = 1;
    }
  }
  jpeg_start_compress(info, TRUE);
  return encoder;
}

EMSCRIPTEN_KEEPALIVE int jpeg_write(Encoder* encoder, unsigned char* rows, int count) {
  if (setjmp(encoder->errors.back)) return 0;
  struct jpeg_compress_struct* info = &encoder->info;
  const size_t stride = (size_t)info->image_width * info->input_components;
  for (int y = 0; y < count; ++y) {
    JSAMPROW row = rows + stride * y;
    jpeg_write_scanlines(info, &row, 1);
  }
  return 1;
}

// Bytes of the finished file, which `jpeg_data` has until the encoder is closed; 0 where it fails.
EMSCRIPTEN_KEEPALIVE unsigned long jpeg_finish(Encoder* encoder) {
  if (setjmp(encoder->errors.back)) return 0;
  jpeg_finish_compress(&encoder->info);
  return encoder->size;
}

EMSCRIPTEN_KEEPALIVE const unsigned char* jpeg_data(const Encoder* encoder) { return encoder->data; }
