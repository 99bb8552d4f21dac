// Shared by the shim's two halves: exceptions to statuses, pixel codes to types, buffers to images.
#ifndef SPINEFX_ITK_CALL_H
#define SPINEFX_ITK_CALL_H

#include "spinefx_itk.h"

#include "itkCommand.h"
#include "itkImage.h"
#include "itkProcessObject.h"

#include <cstring>
#include <new>
#include <stdexcept>

namespace spinefx
{
inline bool
cancelled(const spinefx_itk_call & call)
{
  // The byte is a Rust AtomicBool that another thread may set at any time.
  return call.cancel != nullptr && __atomic_load_n(call.cancel, __ATOMIC_RELAXED) != 0;
}

inline int
fail(const spinefx_itk_call & call, const char * reason)
{
  if (call.error != nullptr && call.error_size > 0)
  {
    std::strncpy(call.error, reason, call.error_size - 1);
    call.error[call.error_size - 1] = '\0';
  }
  return SPINEFX_ITK_FAILED;
}

// Runs `work` and turns whatever it throws into a status. A cancelled call is reported as such however
// it ended: ITK's thread pool may wrap ProcessAborted into another exception.
template <typename Work>
int
guarded(const spinefx_itk_call * call, Work && work) noexcept
{
  const auto failed = [call](const char * reason) {
    return cancelled(*call) ? static_cast<int>(SPINEFX_ITK_CANCELLED) : fail(*call, reason);
  };
  try
  {
    if (!cancelled(*call))
    {
      itk::Object::SetGlobalWarningDisplay(false);
      work();
    }
    return cancelled(*call) ? SPINEFX_ITK_CANCELLED : SPINEFX_ITK_OK;
  }
  catch (const itk::ExceptionObject & e)
  {
    return failed(e.GetDescription());
  }
  catch (const std::bad_alloc &)
  {
    return failed("out of memory");
  }
  catch (const std::exception & e)
  {
    return failed(e.what());
  }
  catch (...)
  {
    return failed("an unknown C++ exception");
  }
}

// Calls `work` with a value of the pixel's C++ type.
template <typename Work>
void
with_pixel(int pixel, Work && work)
{
  switch (pixel)
  {
    case SPINEFX_ITK_U8:
      return work(uint8_t{});
    case SPINEFX_ITK_U16:
      return work(uint16_t{});
    case SPINEFX_ITK_I16:
      return work(int16_t{});
    case SPINEFX_ITK_U32:
      return work(uint32_t{});
    case SPINEFX_ITK_I32:
      return work(int32_t{});
    case SPINEFX_ITK_F32:
      return work(float{});
    default:
      throw std::invalid_argument("unsupported pixel type");
  }
}

template <typename T>
using Image = itk::Image<T, 3>;

inline size_t
count_of(const spinefx_itk_grid & grid)
{
  return grid.size[0] * grid.size[1] * grid.size[2];
}

// An empty image on the grid.
template <typename T>
typename Image<T>::Pointer
image_on(const spinefx_itk_grid & grid)
{
  auto                            image = Image<T>::New();
  typename Image<T>::SizeType      size;
  typename Image<T>::DirectionType direction;
  for (unsigned r = 0; r < 3; ++r)
  {
    size[r] = grid.size[r];
    for (unsigned c = 0; c < 3; ++c)
    {
      direction[r][c] = grid.direction[3 * r + c];
    }
  }
  image->SetRegions(size);
  image->SetSpacing(grid.spacing_mm);
  image->SetOrigin(grid.origin_lps);
  image->SetDirection(direction);
  return image;
}

// An image that uses the caller's buffer without copying or owning it.
template <typename T>
typename Image<T>::Pointer
wrap(const spinefx_itk_grid & grid, const void * voxels)
{
  auto image = image_on<T>(grid);
  image->GetPixelContainer()->SetImportPointer(
    static_cast<T *>(const_cast<void *>(voxels)), count_of(grid), false);
  return image;
}

// Aborts the filter that reports progress once the call is cancelled.
class Stopper : public itk::Command
{
public:
  using Self = Stopper;
  using Superclass = itk::Command;
  using Pointer = itk::SmartPointer<Self>;
  itkNewMacro(Self);

  static void
  watch(itk::ProcessObject * filter, const spinefx_itk_call & call)
  {
    auto stopper = Self::New();
    stopper->m_Call = &call;
    filter->AddObserver(itk::ProgressEvent(), stopper);
  }

  void
  Execute(itk::Object * caller, const itk::EventObject &) override
  {
    auto * filter = dynamic_cast<itk::ProcessObject *>(caller);
    if (filter != nullptr && cancelled(*m_Call))
    {
      filter->AbortGenerateDataOn();
    }
  }

  void
  Execute(const itk::Object *, const itk::EventObject &) override
  {}

private:
  const spinefx_itk_call * m_Call{ nullptr };
};
} // namespace spinefx

#endif
