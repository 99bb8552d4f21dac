// The C ABI between itk-sys/src/lib.rs and ITK. Both sides must agree on every line here.
//
// Conventions: voxels are flat buffers, i fastest; positions are LPS millimetres; a direction is
// row-major 3x3 whose columns are the axes. Every function returns a status; on SPINEFX_ITK_FAILED it
// writes a NUL-terminated reason into `error`. No C++ exception leaves this library.
#ifndef SPINEFX_ITK_H
#define SPINEFX_ITK_H

#include <cstddef>
#include <cstdint>

extern "C"
{
  enum spinefx_itk_status
  {
    SPINEFX_ITK_OK = 0,
    SPINEFX_ITK_FAILED = 1,
    SPINEFX_ITK_CANCELLED = 2,
  };

  enum spinefx_itk_pixel
  {
    SPINEFX_ITK_U8 = 0,
    SPINEFX_ITK_I8 = 1,
    SPINEFX_ITK_U16 = 2,
    SPINEFX_ITK_I16 = 3,
    SPINEFX_ITK_U32 = 4,
    SPINEFX_ITK_I32 = 5,
    SPINEFX_ITK_F32 = 6,
    SPINEFX_ITK_F64 = 7,
    SPINEFX_ITK_OTHER = 8,
  };

  enum spinefx_itk_format
  {
    SPINEFX_ITK_NIFTI = 0,
    SPINEFX_ITK_NRRD = 1,
    SPINEFX_ITK_META = 2,
  };

  struct spinefx_itk_grid
  {
    uint64_t size[3];
    double   spacing_mm[3];
    double   origin_lps[3];
    double   direction[9];
  };

  // What a file's header says, as ITK reads it.
  struct spinefx_itk_header
  {
    spinefx_itk_grid grid;       // of the first three dimensions
    uint64_t         dimensions; // 2, 3, 4 ...
    uint64_t         frames;     // product of the sizes beyond the third
    uint64_t         components; // values per voxel
    uint64_t         bytes;      // of the whole voxel buffer
    int32_t          pixel;      // spinefx_itk_pixel
    int32_t          scalar;     // 1: a plain number per voxel
  };

  // Where a function reports, and the byte that tells it to stop (may be null).
  struct spinefx_itk_call
  {
    const uint8_t * cancel;
    char *          error;
    size_t          error_size;
  };

  // Samples `voxels` at every point of `to`. interpolation: 0 nearest, 1 linear (rounded half up for
  // integer pixels). `result` holds to->size voxels.
  int spinefx_itk_resample(const spinefx_itk_call * call,
                           int                      pixel,
                           const void *             voxels,
                           const spinefx_itk_grid * from,
                           const spinefx_itk_grid * to,
                           int                      interpolation,
                           double                   outside,
                           void *                   result);

  // Output axis n is input axis order[n], reversed where flip[n] is not 0. Every voxel stays where it is
  // in space.
  int spinefx_itk_permute(const spinefx_itk_call * call,
                          int                      pixel,
                          const void *             voxels,
                          const spinefx_itk_grid * from,
                          const uint32_t *         order,
                          const uint8_t *          flip,
                          spinefx_itk_grid *       result_grid,
                          void *                   result);

  // Gaussian of sigma_mm[n] along axis n; 0 leaves the axis alone.
  int spinefx_itk_smooth(const spinefx_itk_call * call,
                         int                      pixel,
                         const void *             voxels,
                         const spinefx_itk_grid * grid,
                         const double *           sigma_mm,
                         void *                   result);

  // Labels the 26-connected components of non-zero voxels 1..*count, largest first.
  int spinefx_itk_components(const spinefx_itk_call * call,
                             const uint8_t *          mask,
                             const spinefx_itk_grid * grid,
                             uint32_t *               labels,
                             uint64_t *               count);

  int spinefx_itk_file_information(const spinefx_itk_call * call,
                                   const char *             path,
                                   int                      format,
                                   spinefx_itk_header *     header);

  // Reads all voxels as they are stored (after NIfTI's scaling). `pixel` and `bytes` must be what
  // spinefx_itk_file_information said.
  int spinefx_itk_file_read(const spinefx_itk_call * call,
                            const char *             path,
                            int                      format,
                            int                      pixel,
                            uint64_t                 bytes,
                            void *                   voxels);

  int spinefx_itk_file_write(const spinefx_itk_call * call,
                             const char *             path,
                             int                      format,
                             int                      pixel,
                             const void *             voxels,
                             const spinefx_itk_grid * grid,
                             int                      compress);
}

#endif
