/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clang-format off */
/**
 * libpatchcore: PatchCore anomaly detection (Roth et al., CVPR 2022) for C and other languages.
 *
 * Fit a bank on normal frames:
 *
 *     PatchcoreBackbone *net = patchcore_backbone_get (&(PatchcoreBackboneOptions) {
 *         .name = "resnet18", .weights = "resnet18.safetensors" }, &error);
 *     PatchcoreFit *fit = patchcore_fit_new (net, &(PatchcoreFitOptions) { 0 }, &error);
 *     const PatchcorePreprocess *preprocess = patchcore_fit_get_preprocess (fit);
 *     for each frame:
 *         patchcore_preprocess_get_geometry (preprocess, w, h, &geometry, &error);
 *         patchcore_preprocess_resize (preprocess, &image, rgb, &error);
 *         patchcore_infer (net, geometry.width, geometry.height,
 *                          &(PatchcoreRequest) { .rgb = rgb, .fit = fit }, 1, &error);
 *     PatchcoreBank *bank = patchcore_fit_build (fit, NULL, NULL, NULL, &error);
 *     patchcore_bank_save (bank, "parts.safetensors", NULL, NULL, &error);
 *
 * Score frames with it: patchcore_bank_load(), patchcore_backbone_get_for_bank(),
 * patchcore_detector_new(), then the same loop with `.detector` in place of `.fit`.
 *
 * Threads: every function may be called from any thread. Banks, backbones and detectors don't
 * change once made; a fit takes frames from one thread at a time, in their order.
 * Ownership: what _new, _get, _load, _build and _extend return is the caller's, to be released with
 * the type's _unref. Strings and structures that are passed in are only read during the call.
 * Errors: a function that takes a GError fails with a PatchcoreError and a message for a person.
 */
/* clang-format on */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#if defined(PATCHCORE_COMPILATION)
#define PATCHCORE_API __attribute__((visibility("default")))
#else
#define PATCHCORE_API
#endif

#define PATCHCORE_ERROR (patchcore_error_quark())

typedef enum {
  PATCHCORE_ERROR_INVALID_ARGUMENT, /* a setting or an argument makes no sense */
  PATCHCORE_ERROR_NOT_FOUND,        /* a file that was named doesn't exist */
  PATCHCORE_ERROR_OPEN_READ,        /* a file can't be read, or isn't what it should be */
  PATCHCORE_ERROR_INCOMPATIBLE,     /* a bank and a network that don't belong together */
  PATCHCORE_ERROR_INIT,             /* LibTorch or the device can't be used */
  PATCHCORE_ERROR_WRITE,            /* a file can't be written */
  PATCHCORE_ERROR_NO_SPACE,         /* the disk is full */
  PATCHCORE_ERROR_FAILED,           /* the computation itself failed */
  PATCHCORE_ERROR_CANCELLED,        /* the GCancellable was triggered */
} PatchcoreError;

PATCHCORE_API GQuark patchcore_error_quark(void);

/* "0.1.0" */
PATCHCORE_API const gchar* patchcore_version(void);

/* Has LibTorch and what else is below set up what they otherwise set up when they are first used;
 * some 50 ms, once a process. exit() destroys what was set up last first: a program whose threads
 * may still be in this library then, and which waits for them in a handler of atexit(), calls this
 * before it registers the handler. Any thread. */
PATCHCORE_API void patchcore_prepare(void);

/* ---- the network -------------------------------------------------------------------------- */

typedef struct _PatchcoreBackbone PatchcoreBackbone;
typedef struct _PatchcoreBank PatchcoreBank;

typedef struct {
  const gchar* name; /* one of docs/backbones.md, such as "resnet18"; NULL: builtin */
  /* safetensors, .pth, or of torchscript its file; NULL: those that were fetched, none for builtin
   */
  const gchar* weights;
  const gchar* device;    /* "auto", "cpu", "cuda:N"; NULL: auto */
  const gchar* precision; /* "auto": the device's fastest, "fp32", "bf16", "fp16"; NULL: auto */
  /* NULL-terminated, some of the network's, each once, finest first. NULL: its usual ones */
  const gchar* const* layers;
} PatchcoreBackboneOptions;

/* Loads a network, or hands out the one that the process already has for the same options. */
PATCHCORE_API PatchcoreBackbone* patchcore_backbone_get(const PatchcoreBackboneOptions* options,
                                                        GError** error);

/* The network that `bank` was fitted with. `weights` (may be NULL) overrides where the bank says
 * that they are; device and precision are as in PatchcoreBackboneOptions, whatever the bank
 * was fitted on. */
PATCHCORE_API PatchcoreBackbone* patchcore_backbone_get_for_bank(PatchcoreBank* bank,
                                                                 const gchar* weights,
                                                                 const gchar* device,
                                                                 const gchar* precision,
                                                                 GError** error);
PATCHCORE_API PatchcoreBackbone* patchcore_backbone_ref(PatchcoreBackbone* backbone);
PATCHCORE_API void patchcore_backbone_unref(PatchcoreBackbone* backbone);

/* Equal for two handles of one network. */
PATCHCORE_API gconstpointer patchcore_backbone_get_id(PatchcoreBackbone* backbone);

/* ---- the memory bank ------------------------------------------------------------------------ */

typedef struct {
  guint64 rows;
  guint64 width;
  guint64 frames;          /* it was fitted on; 0: unknown */
  gboolean calibrated;     /* the four below are set */
  gdouble threshold;       /* of the raw score; at or above it a frame is anomalous */
  gdouble median;          /* of normal frames' scores */
  gdouble pixel_threshold; /* of the map */
  gdouble pixel_median;    /* of the largest map value of normal frames */
  /* Normal frames that the threshold was found with, those of them at or above it, and the share
   * that such frames don't exceed with a confidence of 95 %. */
  guint64 calibration_frames;
  guint64 false_alarms;
  gdouble false_alarm_bound;
  /* The same of alarms: hours that the frames last (0: unknown, the others are 0 too), alarms in
   * them, and those an hour that aren't exceeded. */
  gdouble calibration_hours;
  guint64 calibration_alarms;
  gdouble alarms_per_hour_bound;
  /* Of a bank with a search radius: patches of the pictures that it is of, which those to score
   * must have too. 0: of any size. Frames of this aspect become such pictures. */
  guint grid_width;
  guint grid_height;
} PatchcoreBankInfo;

/* A file holds one bank without a name, or any number that have one: 1 to 64 letters, digits, '.',
 * '-' and '_', the first a letter or a digit. Everywhere below `name` is NULL or "" for the one
 * without. */

/* Loads a bank, or hands out the one that the process already has of the same unchanged file.
 * NOT_FOUND, telling the names that there are, where the file holds others. Cancelled within
 * 200 ms. */
PATCHCORE_API PatchcoreBank* patchcore_bank_load(const gchar* path, const gchar* name,
                                                 GCancellable* cancellable, GError** error);
/* The names of the banks in a file, in alphabetical order, NULL behind the last; none where it is
 * that of a bank without a name. To be freed with g_strfreev(). */
PATCHCORE_API gchar** patchcore_bank_list_names(const gchar* path, GError** error);
/* Whether there is a bank of that name. A file that can't be read counts as one that has it. */
PATCHCORE_API gboolean patchcore_bank_exists(const gchar* path, const gchar* name);
/* Whether a bank could be saved so, as far as what the file holds decides; INVALID_ARGUMENT where a
 * bank without a name would replace those with names, or come to lie beside them. */
PATCHCORE_API gboolean patchcore_bank_check_room(const gchar* path, const gchar* name,
                                                 GError** error);
/* Atomic: `path` holds what it held, or all of the new. With a name it takes the place of the one
 * that has the same, and all others in the file stay, also where several processes do so at a
 * time. INVALID_ARGUMENT as patchcore_bank_check_room() has it. Cancelled within 200 ms. */
PATCHCORE_API gboolean patchcore_bank_save(PatchcoreBank* bank, const gchar* path,
                                           const gchar* name, GCancellable* cancellable,
                                           GError** error);
PATCHCORE_API PatchcoreBank* patchcore_bank_ref(PatchcoreBank* bank);
PATCHCORE_API void patchcore_bank_unref(PatchcoreBank* bank);
/* A new bank that has learnt patches as normal, such as those of false alarms, which
 * patchcore_infer() keeps on request. A patch's value is its distance to the nearest row of a bank,
 * in the units of the map: squared with the preset "official".
 * The rows of `bank` come first, then, farthest first, those patches whose value is at or above
 * `covered`, until each patch's value is below it; with 0 or less every patch that is no copy of a
 * row. Calibration and all else are kept, `bank` isn't changed. Each set is any number of rows of
 * the bank's width in floats. cells: a set each, of where these were, as PatchcoreResult has them;
 * NULL will do where the bank has no search radius. INVALID_ARGUMENT where a set is not, or not
 * finite. Cancelled within 200 ms. */
PATCHCORE_API PatchcoreBank* patchcore_bank_extend(PatchcoreBank* bank, GBytes* const* patches,
                                                   GBytes* const* cells, guint n_patch_sets,
                                                   gdouble covered, GCancellable* cancellable,
                                                   GError** error);
PATCHCORE_API void patchcore_bank_get_info(PatchcoreBank* bank, PatchcoreBankInfo* info);
/* 16 hex digits that are the same for the same rows, settings and weights, in whatever file or
 * process. Owned by the bank. */
PATCHCORE_API const gchar* patchcore_bank_get_id(PatchcoreBank* bank);
/* The name of the network that the bank was fitted with, as in PatchcoreBackboneOptions. Owned by
 * the bank. */
PATCHCORE_API const gchar* patchcore_bank_get_model(PatchcoreBank* bank);

/* ---- preprocessing -------------------------------------------------------------------------- */

typedef struct _PatchcorePreprocess PatchcorePreprocess;

/* How a pixel's bytes lie; what x is doesn't matter. */
typedef enum {
  PATCHCORE_PIXELS_RGB,
  PATCHCORE_PIXELS_BGR,
  PATCHCORE_PIXELS_RGBX,
  PATCHCORE_PIXELS_BGRX,
  PATCHCORE_PIXELS_XRGB,
  PATCHCORE_PIXELS_XBGR,
} PatchcorePixels;

/* 8-bit pixels, rows `stride` bytes apart. */
typedef struct {
  const guint8* data;
  guint width;
  guint height;
  gsize stride;
  PatchcorePixels pixels;
  gdouble
      pixel_aspect; /* width of a pixel as it is shown, of its height, 1/64 to 64; 0: 1, square */
} PatchcoreImage;

typedef struct {
  guint width; /* of the network's input, pixels */
  guint height;
  gdouble x; /* where the input lies in the frame, in fractions of it: not all with a crop */
  gdouble y;
  gdouble w;
  gdouble h;
  gboolean floats; /* patchcore_preprocess_resize_floats() gives the scores of the bank's maker */
} PatchcoreGeometry;

/* pixel_aspect: as PatchcoreImage has it. */
PATCHCORE_API gboolean patchcore_preprocess_get_geometry(const PatchcorePreprocess* preprocess,
                                                         guint frame_width, guint frame_height,
                                                         gdouble pixel_aspect,
                                                         PatchcoreGeometry* geometry,
                                                         GError** error);

/* Writes geometry.width * geometry.height * 3 bytes of RGB to `rgb`, whatever the frame's format.
 * This and the like of it below work on the calling thread alone. */
PATCHCORE_API gboolean patchcore_preprocess_resize(const PatchcorePreprocess* preprocess,
                                                   const PatchcoreImage* frame, guint8* rgb,
                                                   GError** error);

/* The same without rounding: as many floats, 0 to 255. Slower; of use where geometry.floats. */
PATCHCORE_API gboolean patchcore_preprocess_resize_floats(const PatchcorePreprocess* preprocess,
                                                          const PatchcoreImage* frame, gfloat* rgb,
                                                          GError** error);

/* The samples of one colour component, in the host's memory or in a GPU's. */
typedef struct {
  gpointer data;       /* the first; only patchcore_cuda_paint() writes */
  gssize stride;       /* bytes from row to row */
  guint columns, rows; /* of samples */
  guint step;          /* bytes from sample to sample */
  guint bytes;         /* of a sample: 1, or 2 with the lower byte first */
  guint shift;         /* bits of these below the sample's own */
  guint depth;         /* the sample's own bits */
} PatchcoreSamples;

/* A frame as video has it, or a part of one: each component in its own resolution, perhaps of YUV.
 * Of the same data three times it is grey. */
typedef struct {
  PatchcoreSamples components[3];
  gfloat to_rgb[3][4];  /* red, green and blue, 0 to 255, of the three samples as stored and of 1 */
  guint width, height;  /* pixels. All components cover these, as nearly as their samples can; a
                           sample is of the middle of its pixels */
  gdouble pixel_aspect; /* as in PatchcoreImage */
} PatchcoreSampledImage;

/* As patchcore_preprocess_resize() and _resize_floats(), of samples in the host's memory. The
 * components are resized first, and only what that gives is made RGB. */
PATCHCORE_API gboolean patchcore_preprocess_resize_samples(const PatchcorePreprocess* preprocess,
                                                           const PatchcoreSampledImage* frame,
                                                           guint8* rgb, GError** error);
PATCHCORE_API gboolean patchcore_preprocess_resize_samples_floats(
    const PatchcorePreprocess* preprocess, const PatchcoreSampledImage* frame, gfloat* rgb,
    GError** error);

/* ---- masks ---------------------------------------------------------------------------------- */

typedef struct _PatchcoreMask PatchcoreMask;

/* Which parts of a camera's picture count: patches elsewhere are neither learnt nor scored. A PNG
 * of any size that has the frames' aspect; its bright pixels (128 and more of its grey) are what
 * counts with the kind "focus" or NULL, and what is left out with "ignore". Masks don't change. */
PATCHCORE_API PatchcoreMask* patchcore_mask_load(const gchar* path, const gchar* kind,
                                                 GError** error);
/* What lies beside a bank: of part.safetensors part.focus.png or part.ignore.png, of its bank NAME
 * part.NAME.focus.png or part.NAME.ignore.png before those. NULL without an error: there is none.
 * INVALID_ARGUMENT where there are both. */
PATCHCORE_API PatchcoreMask* patchcore_mask_load_beside(const gchar* bank_path, const gchar* name,
                                                        GError** error);
PATCHCORE_API PatchcoreMask* patchcore_mask_ref(PatchcoreMask* mask);
PATCHCORE_API void patchcore_mask_unref(PatchcoreMask* mask);
/* INVALID_ARGUMENT where frames of this size have another aspect, by more than a pixel of the
 * mask's height, and where nothing of them counts. */
PATCHCORE_API gboolean patchcore_mask_check(PatchcoreMask* mask, guint frame_width,
                                            guint frame_height, GError** error);

/* ---- fitting -------------------------------------------------------------------------------- */

typedef struct _PatchcoreFit PatchcoreFit;

/* A field that is 0 or NULL takes its default. */
typedef struct {
  const gchar* preset;   /* "paper", "official", "anomalib", "article", "inspect"; default
                            anomalib */
  guint resize_width;    /* default: the preset's size and crop */
  guint resize_height;   /* 0: the shorter side becomes resize_width, the aspect is kept */
  guint crop;            /* centred square; counts only with a resize_width */
  gdouble coreset_ratio; /* bank rows a training patch; default 0.1 */
  guint max_bank_size;   /* rows; default no limit */
  guint64 seed;
  gdouble false_alarm_rate; /* normal frames that may be at or above the threshold; default 0.01 */
  gdouble
      alarms_per_hour;    /* instead of a rate; needs patchcore_fit_set_video(). Default: by rate */
  guint folds;            /* parts that the frames are split into to find it; default 3 */
  gboolean drop_outliers; /* leave out what patchcore_fit_get_outliers() tells of */
  /* NULL-terminated pairs of a setting's name and its value, as docs/presets.md has them, such as
   * "patch_size", "5": instead of the preset's. NULL: none */
  const gchar* const* settings;
  PatchcoreBank*
      like; /* preset, settings, sizes and all else that decides a score, save the network and its
             * layers, are this bank's instead, which is only read during the call */
} PatchcoreFitOptions;

/* fraction: 0..1. Called from the thread that builds. */
typedef void (*PatchcoreProgressFunc)(gdouble fraction, gpointer user_data);

PATCHCORE_API PatchcoreFit* patchcore_fit_new(PatchcoreBackbone* backbone,
                                              const PatchcoreFitOptions* options, GError** error);
PATCHCORE_API PatchcoreFit* patchcore_fit_ref(PatchcoreFit* fit);
PATCHCORE_API void patchcore_fit_unref(PatchcoreFit* fit);
/* Owned by the fit. */
PATCHCORE_API const PatchcorePreprocess* patchcore_fit_get_preprocess(PatchcoreFit* fit);
PATCHCORE_API guint64 patchcore_fit_get_frames(PatchcoreFit* fit);
/* How alarms an hour are counted in the next build: the seconds that the frames so far last, frames
 * in a row that start an alarm and stop it, and how far below the threshold the latter are, of the
 * normalized score. */
PATCHCORE_API gboolean patchcore_fit_set_video(PatchcoreFit* fit, gdouble seconds,
                                               guint alarm_frames, gdouble alarm_hysteresis,
                                               GError** error);
/* A frame that doesn't belong among the others: a defect, a hand, a dark frame. */
typedef struct {
  guint64 frame; /* counted from 0 */
  gdouble score; /* with a bank of other frames */
} PatchcoreOutlier;

/* Those that the last build found, the worst first: frames that score above a limit, three times
 * the distance of the quartiles above the upper one. Writes n_outliers of them at most, and the
 * limit; both may be NULL. Returns how many there are. They are in the bank unless drop_outliers.
 */
PATCHCORE_API guint patchcore_fit_get_outliers(PatchcoreFit* fit, PatchcoreOutlier* outliers,
                                               guint n_outliers, gdouble* limit);
/* Coreset, neighbours and calibration of the frames so far. Cancelled within 200 ms. */
PATCHCORE_API PatchcoreBank* patchcore_fit_build(PatchcoreFit* fit, PatchcoreProgressFunc progress,
                                                 gpointer user_data, GCancellable* cancellable,
                                                 GError** error);

/* ---- detecting ------------------------------------------------------------------------------ */

typedef struct _PatchcoreDetector PatchcoreDetector;

/* What takes memory and time, the bank made ready to search, is shared by all detectors of one
 * network and one bank. Cancelled within 200 ms. */
PATCHCORE_API PatchcoreDetector* patchcore_detector_new(PatchcoreBackbone* backbone,
                                                        PatchcoreBank* bank,
                                                        GCancellable* cancellable, GError** error);
PATCHCORE_API PatchcoreDetector* patchcore_detector_ref(PatchcoreDetector* detector);
PATCHCORE_API void patchcore_detector_unref(PatchcoreDetector* detector);
/* Owned by the detector. */
PATCHCORE_API const PatchcorePreprocess* patchcore_detector_get_preprocess(
    PatchcoreDetector* detector);

typedef struct {
  gdouble score;            /* raw, in the preset's units */
  gdouble normalized_score; /* 0..1, 0.5 at the threshold; NaN where the bank isn't calibrated */
  gdouble peak_x;           /* centre of the worst patch, in fractions of the input */
  gdouble peak_y;
  gdouble map_peak; /* the largest value of the map */
  GBytes* map;      /* map_width * map_height floats in raw units, row by row */
  guint map_width;
  guint map_height;
  GBytes* patches; /* n_patches rows of the bank's width in floats; NULL: none were kept */
  guint n_patches;
  GBytes* cells; /* n_patches gint64: where these were, y * width + x in the patches' grid */
} PatchcoreResult;

PATCHCORE_API void patchcore_result_clear(PatchcoreResult* result);

/* A connected part of a map. */
typedef struct {
  gdouble x, y, w, h;     /* in fractions of the input */
  gdouble peak;           /* largest map value within, raw units */
  gdouble peak_x, peak_y; /* where that is, centre of the pixel, fractions of the input */
} PatchcoreRegion;

/* The connected regions (8-neighbourhood) of the map at or above `threshold`, the largest peak
 * first, at most n_regions. Returns how many were written: 0 for a result without a map. */
PATCHCORE_API guint patchcore_result_get_regions(const PatchcoreResult* result, gdouble threshold,
                                                 PatchcoreRegion* regions, guint n_regions);

/* Writes 256 * 3 bytes: red, green and blue of values at equal steps, the least first. name:
 * "turbo", "inferno", "viridis", "jet", "grey". */
PATCHCORE_API gboolean patchcore_colormap(const gchar* name, guint8* rgb, GError** error);

/* A line of text as a picture: out_width * out_height bytes, 0 where there is nothing and 255 where
 * there is text, row by row. Capital letters are text_height pixels high (4 to 1000). ASCII, 200
 * bytes at most. Freed by the caller. NULL: *error is set. */
PATCHCORE_API guint8* patchcore_text_mask(const gchar* text, guint text_height, guint* out_width,
                                          guint* out_height, GError** error);

/* One prepared frame and who wants it: a detector, which fills `result`, or a fit, which keeps the
 * frame's patches. */
typedef struct {
  const guint8* rgb;
  PatchcoreDetector* detector;
  PatchcoreFit* fit;
  gboolean keep_patches;  /* of a detector: the result gets the frame's patches whose value is at */
  gdouble keep_above;     /* or above this, the largest value first; see patchcore_bank_extend() */
  PatchcoreResult result; /* the caller clears it, also after an error */
  const gfloat* rgb_floats; /* instead of rgb: from patchcore_preprocess_resize_floats() */
  /* instead of both, in all requests of the batch or in none, where the detector or fit takes them:
   * from patchcore_cuda_resize(), in a GPU's memory, whichever context's. Must be complete, and is
   * not read any more once patchcore_infer() has returned */
  const gfloat* cuda_values;
  PatchcoreMask* mask; /* of the frames; NULL: all of them counts */
  /* where the input lies in the frame, in fractions of it, as in PatchcoreGeometry; with a mask */
  gdouble x, y, w, h;
} PatchcoreRequest;

/* One batch of frames of one input size: a single pass of the network, then each request's own
 * bank. All detectors and fits must have been made with `backbone`. A score doesn't depend on who
 * else is in the batch (1e-5 relative). */
PATCHCORE_API gboolean patchcore_infer(PatchcoreBackbone* backbone, guint width, guint height,
                                       PatchcoreRequest* requests, guint n_requests,
                                       GError** error);

G_END_DECLS
