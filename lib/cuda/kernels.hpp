// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

// What libpatchcore-cuda.so offers: kernels behind plain C functions, without LibTorch, which is
// not needed to compile them. All pointers are of the current context's memory. Rows are packed.
// What a kernel does is defined by its CPU reference, tests/gpu/reference.cpp.
namespace patchcore::cuda {

/// A cudaStream_t.
using Stream = void*;

enum class Type : int32_t { Byte, Float, Half, BFloat16 };

/// Rows of the bank that are judged together.
constexpr int64_t kGroup = 32;
/// What `columns` of the second factor are padded to, so that offsets may be read behind them.
constexpr int64_t kTile = 128;
/// Widths of bf16 rows are multiples of this; what lies behind a row's own values is 0.
constexpr int64_t kStep = 32;
/// Coordinates of a coreset head.
constexpr int64_t kHead = 32;
/// Blocks that choose a coreset together, at most.
constexpr int64_t kMostBlocks = 2048;

/// out = (rgb / 255 - mean) / deviation, channel by channel.
struct Normalise {
  const void* rgb;  ///< values
  Type from;        ///< Byte or Float
  void* out;        ///< values
  Type to;          ///< Float, Half or BFloat16
  int64_t values;   ///< a multiple of 3; red first
  float mean[3];
  float deviation[3];
};

/// The samples of one colour component of a frame.
struct Component {
  uint8_t* data;          ///< the first; only `paint` writes
  int64_t stride;         ///< bytes from row to row
  int64_t columns, rows;  ///< of samples
  int32_t step;           ///< bytes from sample to sample
  int32_t bytes;          ///< of a sample: 1 or 2, the lower first
  int32_t shift;          ///< bits of these below the sample's own
  int32_t depth;          ///< the sample's own bits, 1 to 16
};

/// A part of a frame -> the network's input: each component is resized in its own resolution, with
/// an antialiased triangle as ATen's _upsample_bilinear2d_aa has it, RGB made of them, cropped and
/// normalised.
struct Resize {
  Component components[3];  ///< of the part
  float to_rgb[3][4];       ///< red, green, blue of the three samples and 1, each to 0..255
  int64_t resized_width, resized_height;
  int64_t out_left, out_top;  ///< of the crop, pixels of the resized part
  int64_t out_width, out_height;
  void* out;        ///< out_height x out_width x 3, red first
  Type to;          ///< Byte or Float
  bool rounded;     ///< floats: to whole levels, as bytes are
  bool normalised;  ///< floats: as Normalise does it, else 0..255
  float mean[3];
  float deviation[3];
};

/// A picture stretched over a rectangle of one component of a frame: bilinear in premultiplied
/// values, its edge pixels go on to the rectangle's edge.
struct Paint {
  Component on;
  int32_t sub_x, sub_y;    ///< a sample is of 2^sub_x pixels in a row, and of 2^sub_y rows
  int64_t width, height;   ///< of the frame, pixels
  bool interlaced;         ///< rows of samples that are of two rows each are of a field's
  const uint32_t* pixels;  ///< picture_height x picture_width; alpha (the highest 8 bits), red,
                           ///< green, blue; not premultiplied
  int64_t picture_width, picture_height;
  double x, y, w, h;         ///< where, pixels of the frame
  int64_t first_x, first_y;  ///< of the samples that are looked at
  int64_t columns, rows;     ///< of these; painted are those whose middle lies there
  float weights[4];          ///< what the component is of red, green and blue, 0..255, and 1
};

/// Each map averaged over patch x patch neighbourhoods, zeros around it, brought to another grid,
/// and written as some columns of rows in the order image, y, x.
struct Embed {
  const void* map;
  Type type;  ///< Float, Half or BFloat16
  int64_t images, channels, height, width;
  int64_t image_stride, channel_stride, row_stride, column_stride;  ///< in values
  int64_t out_height, out_width;
  int64_t patch;  ///< odd
  bool bilinear;  ///< else nearest, both without aligned corners
  float* out;     ///< the first of this map's columns
  int64_t pitch;  ///< columns of all maps
};

/// The rows that a kernel works on: all, or those that a list on the device names.
struct Selection {
  int64_t rows = 0;                ///< at most
  const int32_t* list = nullptr;   ///< which rows; else 0, 1, 2 ...
  const int32_t* count = nullptr;  ///< on the device: how many the list names
};

/// out = bf16(row - mean), with what that is and what it misses.
struct RoundRows {
  Selection selection;
  const float* rows;
  const float* mean;
  int64_t width;      ///< of a row
  int64_t out_width;  ///< a multiple of kStep
  uint16_t* out;      ///< selection.rows x out_width
  float* squares;     ///< |out|^2
  float* slack;       ///< at least |row - mean - out|
};

/// Products of all rows of a with all rows of b, both bf16, summed in fp32.
struct Multiply {
  Selection selection;  ///< of a's rows, which stand where the list is, not at what it names
  const uint16_t* a;    ///< selection.rows x width
  const uint16_t* b;    ///< columns x width
  int64_t columns;
  int64_t width;         ///< a multiple of kStep
  const float* offsets;  ///< group_maxima: added to each column, as many as kTile pads to
  float* out;  ///< multiply: rows x columns; group_maxima: rows x ceil(columns / kGroup), the
               ///< largest of each group, and infinity where one is no number
};

/// Coordinates to heads in bf16: the coordinates / scale, and the norm of what these leave out.
struct MakeHeads {
  int64_t rows;
  const float* coordinates;  ///< rows x count
  int64_t count;
  float scale;               ///< at least the axes' largest singular value
  const float* row_squares;  ///< of what RoundRows gave
  const float* row_slack;
  int64_t row_width;  ///< its out_width
  int64_t width;      ///< of a head, at least count + 1, a multiple of kStep
  uint16_t* out;      ///< rows x width
  float* squares;     ///< |out|^2
  float* slack;       ///< what all rounding so far can have moved a head by
};

/// Rounded rows, of queries or of a bank.
struct Rounded {
  const uint16_t* values;
  const float* squares;
  const float* slack;
};

/// From the groups' maxima to the nearest row of each query, exact: rows that the maxima and then
/// their own products can't rule out are computed as the fp32 sum of (query - row)^2.
struct Walk {
  Selection selection;
  const float* queries;  ///< as many as there are, x row_width
  const float* bank;     ///< rows x row_width
  int64_t rows;
  int64_t row_width;
  Rounded query;  ///< as Multiply had them
  const uint16_t* bank_values;
  const float* offsets;      ///< -|row|^2 / 2 of the rounded rows
  const float* group_slack;  ///< the largest of each group
  const float* group_norms;
  int64_t width;        ///< of rounded rows
  const float* maxima;  ///< selection.rows x groups
  /// Queries that need more distances than this are appended to `hard`, in any order, and left as
  /// far as they are; 0: all that are needed.
  int32_t budget;
  int32_t* hard;
  int32_t* hard_count;
  /// Of each query of all, squared; read where there is a list, which must hold what an earlier
  /// walk left.
  float* squares;
  int64_t* nearest;  ///< ties to the lower row
};

/// Greedy k-center over `rows`: `steps` times the row of the largest minimum, ties to the lower
/// row, becomes a centre, and minima are lowered by the squared distance to it.
struct Choose {
  const float* rows;  ///< count x width
  int64_t count;      ///< below 2^31
  int64_t width;
  const float* heads;    ///< kHead x count: the coordinates of the row at each place
  const int32_t* order;  ///< the row at each place
  const int32_t* place;  ///< the place of each row
  float slack;           ///< |head(x) - head(y)| <= |x - y| + slack
  float* minimum;        ///< of the row at each place, squared; -1: a centre
  uint64_t* best;        ///< room for 2 x kMostBlocks
  int64_t* chosen;       ///< steps
  int64_t steps;
  int64_t first;  ///< the first centre, or -1: the row of the largest minimum
};

/// Functions that put work on a stream and return null, or what went wrong.
struct Kernels {
  const char* (*normalise)(const Normalise&, Stream);
  const char* (*resize)(const Resize&, Stream);
  const char* (*paint)(const Paint&, Stream);
  /// Between two places of GPUs' memory, each in whatever context; the current one is the stream's.
  const char* (*copy)(void* to, const void* from, int64_t bytes, Stream);
  const char* (*embed)(const Embed&, Stream);
  const char* (*round_rows)(const RoundRows&, Stream);
  const char* (*multiply)(const Multiply&, Stream);
  const char* (*group_maxima)(const Multiply&, Stream);
  const char* (*make_heads)(const MakeHeads&, Stream);
  const char* (*walk)(const Walk&, Stream);
  const char* (*choose)(const Choose&, Stream);
};

/// Changes with everything above. The two libraries are installed together, and refuse others.
constexpr int kInterface = 2;

/// The module's one symbol: null unless the interface is the module's own and there is a GPU that
/// can run its kernels.
using GetKernels = const Kernels* (*)(int interface);
constexpr const char* kGetKernels = "patchcore_cuda_kernels";

}  // namespace patchcore::cuda
