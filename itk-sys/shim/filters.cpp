#include "call.h"

#include "itkConnectedComponentImageFilter.h"
#include "itkFlipImageFilter.h"
#include "itkLinearInterpolateImageFunction.h"
#include "itkNearestNeighborInterpolateImageFunction.h"
#include "itkPermuteAxesImageFilter.h"
#include "itkRecursiveGaussianImageFilter.h"
#include "itkRelabelComponentImageFilter.h"
#include "itkResampleImageFilter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace spinefx
{
namespace
{
template <typename T>
T
rounded(double value)
{
  if (std::is_floating_point<T>::value)
  {
    return static_cast<T>(value);
  }
  const double low = std::numeric_limits<T>::lowest();
  const double high = std::numeric_limits<T>::max();
  return static_cast<T>(std::min(std::max(std::floor(value + 0.5), low), high));
}

// ResampleImageFilter truncates towards zero when it stores an interpolated value in an integer pixel,
// which would darken bone and brighten air by half a Hounsfield unit on average.
template <typename T>
class RoundedLinear : public itk::LinearInterpolateImageFunction<Image<T>, double>
{
public:
  using Self = RoundedLinear;
  using Superclass = itk::LinearInterpolateImageFunction<Image<T>, double>;
  using Pointer = itk::SmartPointer<Self>;
  itkNewMacro(Self);

  typename Superclass::OutputType
  EvaluateAtContinuousIndex(const typename Superclass::ContinuousIndexType & index) const override
  {
    const auto value = Superclass::EvaluateAtContinuousIndex(index);
    return std::is_integral<T>::value ? std::floor(value + 0.5) : value;
  }
};

template <typename T>
void
copy_out(const Image<T> & image, void * result)
{
  const T * voxels = image.GetBufferPointer();
  if (voxels != result)
  {
    std::copy_n(voxels, image.GetLargestPossibleRegion().GetNumberOfPixels(), static_cast<T *>(result));
  }
}

// Lets the filter write straight into the caller's buffer: an ImageSource keeps a container that is
// already large enough. copy_out notices should a version of ITK not do so.
template <typename T>
void
write_into(itk::ImageSource<Image<T>> & filter, void * result, size_t count)
{
  filter.GetOutput()->GetPixelContainer()->SetImportPointer(static_cast<T *>(result), count, false);
}

template <typename T>
void
resample(const spinefx_itk_call & call,
         const void *             voxels,
         const spinefx_itk_grid & from,
         const spinefx_itk_grid & to,
         bool                     linear,
         double                   outside,
         void *                   result)
{
  auto filter = itk::ResampleImageFilter<Image<T>, Image<T>>::New();
  filter->SetInput(wrap<T>(from, voxels));
  filter->SetOutputParametersFromImage(image_on<T>(to));
  filter->SetDefaultPixelValue(rounded<T>(outside));
  if (linear)
  {
    filter->SetInterpolator(RoundedLinear<T>::New());
  }
  else
  {
    filter->SetInterpolator(itk::NearestNeighborInterpolateImageFunction<Image<T>, double>::New());
  }
  Stopper::watch(filter, call);
  write_into<T>(*filter, result, count_of(to));
  filter->Update();
  copy_out<T>(*filter->GetOutput(), result);
}

void
grid_of(const itk::ImageBase<3> & image, spinefx_itk_grid & grid)
{
  for (unsigned r = 0; r < 3; ++r)
  {
    grid.size[r] = image.GetLargestPossibleRegion().GetSize(r);
    grid.spacing_mm[r] = image.GetSpacing()[r];
    grid.origin_lps[r] = image.GetOrigin()[r];
    for (unsigned c = 0; c < 3; ++c)
    {
      grid.direction[3 * r + c] = image.GetDirection()[r][c];
    }
  }
}

template <typename T>
void
permute(const void *             voxels,
        const spinefx_itk_grid & from,
        const uint32_t *         order,
        const uint8_t *          flip,
        spinefx_itk_grid &       result_grid,
        void *                   result)
{
  using Permute = itk::PermuteAxesImageFilter<Image<T>>;
  using Flip = itk::FlipImageFilter<Image<T>>;
  typename Permute::PermuteOrderArrayType axes;
  typename Flip::FlipAxesArrayType        reversed;
  for (unsigned a = 0; a < 3; ++a)
  {
    axes[a] = order[a];
    reversed[a] = flip[a] != 0;
  }
  auto permuted = Permute::New();
  permuted->SetInput(wrap<T>(from, voxels));
  permuted->SetOrder(axes);
  permuted->ReleaseDataFlagOn();
  auto flipped = Flip::New();
  flipped->SetInput(permuted->GetOutput());
  flipped->SetFlipAxes(reversed);
  flipped->FlipAboutOriginOff();
  write_into<T>(*flipped, result, count_of(from));
  flipped->Update();
  copy_out<T>(*flipped->GetOutput(), result);
  grid_of(*flipped->GetOutput(), result_grid);
}

template <typename T>
void
smooth(const spinefx_itk_call & call,
       const void *             voxels,
       const spinefx_itk_grid & grid,
       const double *           sigma_mm,
       void *                   result)
{
  using Real = Image<float>;
  const size_t count = count_of(grid);
  const T *    source = static_cast<const T *>(voxels);
  auto         real = image_on<float>(grid);
  real->Allocate();
  std::copy_n(source, count, real->GetBufferPointer());
  Real::Pointer current = real;
  for (unsigned axis = 0; axis < 3; ++axis)
  {
    if (sigma_mm[axis] <= 0.0 || cancelled(call))
    {
      continue;
    }
    auto filter = itk::RecursiveGaussianImageFilter<Real, Real>::New();
    filter->SetInput(current);
    filter->SetDirection(axis);
    filter->SetZeroOrder();
    filter->SetSigma(sigma_mm[axis]);
    filter->InPlaceOn();
    Stopper::watch(filter, call);
    filter->Update();
    current = filter->GetOutput();
    current->DisconnectPipeline();
  }
  std::transform(
    current->GetBufferPointer(), current->GetBufferPointer() + count, static_cast<T *>(result), rounded<T>);
}

uint64_t
components(const spinefx_itk_call & call,
           const uint8_t *          mask,
           const spinefx_itk_grid & grid,
           uint32_t *               labels)
{
  using Labels = Image<uint32_t>;
  auto connected = itk::ConnectedComponentImageFilter<Image<uint8_t>, Labels>::New();
  connected->SetInput(wrap<uint8_t>(grid, mask));
  connected->FullyConnectedOn();
  connected->SetBackgroundValue(0);
  connected->ReleaseDataFlagOn();
  Stopper::watch(connected, call);
  auto sorted = itk::RelabelComponentImageFilter<Labels, Labels>::New();
  sorted->SetInput(connected->GetOutput());
  sorted->SortByObjectSizeOn();
  sorted->InPlaceOff();
  Stopper::watch(sorted, call);
  write_into<uint32_t>(*sorted, labels, count_of(grid));
  sorted->Update();
  copy_out<uint32_t>(*sorted->GetOutput(), labels);
  return sorted->GetNumberOfObjects();
}
} // namespace
} // namespace spinefx

extern "C"
{
  int
  spinefx_itk_resample(const spinefx_itk_call * call,
                       int                      pixel,
                       const void *             voxels,
                       const spinefx_itk_grid * from,
                       const spinefx_itk_grid * to,
                       int                      interpolation,
                       double                   outside,
                       void *                   result)
  {
    return spinefx::guarded(call, [&] {
      spinefx::with_pixel(pixel, [&](auto zero) {
        spinefx::resample<decltype(zero)>(*call, voxels, *from, *to, interpolation == 1, outside, result);
      });
    });
  }

  int
  spinefx_itk_permute(const spinefx_itk_call * call,
                      int                      pixel,
                      const void *             voxels,
                      const spinefx_itk_grid * from,
                      const uint32_t *         order,
                      const uint8_t *          flip,
                      spinefx_itk_grid *       result_grid,
                      void *                   result)
  {
    return spinefx::guarded(call, [&] {
      spinefx::with_pixel(pixel, [&](auto zero) {
        spinefx::permute<decltype(zero)>(voxels, *from, order, flip, *result_grid, result);
      });
    });
  }

  int
  spinefx_itk_smooth(const spinefx_itk_call * call,
                     int                      pixel,
                     const void *             voxels,
                     const spinefx_itk_grid * grid,
                     const double *           sigma_mm,
                     void *                   result)
  {
    return spinefx::guarded(call, [&] {
      spinefx::with_pixel(pixel, [&](auto zero) {
        spinefx::smooth<decltype(zero)>(*call, voxels, *grid, sigma_mm, result);
      });
    });
  }

  int
  spinefx_itk_components(const spinefx_itk_call * call,
                         const uint8_t *          mask,
                         const spinefx_itk_grid * grid,
                         uint32_t *               labels,
                         uint64_t *               count)
  {
    return spinefx::guarded(call, [&] { *count = spinefx::components(*call, mask, *grid, labels); });
  }
}
