#include "call.h"

#include "itkMetaImageIO.h"
#include "itkNiftiImageIO.h"
#include "itkNrrdImageIO.h"

#include <mutex>
#include <string>

namespace spinefx
{
namespace
{
// Teem keeps its error texts, and ITK's NIfTI reader the last name, in variables of the process.
std::mutex one_file_at_a_time;

itk::ImageIOBase::Pointer
open(const char * path, int format)
{
  itk::ImageIOBase::Pointer io;
  switch (format)
  {
    case SPINEFX_ITK_NIFTI:
      io = itk::NiftiImageIO::New();
      break;
    case SPINEFX_ITK_NRRD:
      io = itk::NrrdImageIO::New();
      break;
    case SPINEFX_ITK_META:
      io = itk::MetaImageIO::New();
      break;
    default:
      throw std::invalid_argument("unsupported file format");
  }
  io->SetFileName(path);
  return io;
}

int32_t
pixel_of(itk::IOComponentEnum component)
{
  switch (component)
  {
    case itk::IOComponentEnum::UCHAR:
      return SPINEFX_ITK_U8;
    case itk::IOComponentEnum::CHAR:
      return SPINEFX_ITK_I8;
    case itk::IOComponentEnum::USHORT:
      return SPINEFX_ITK_U16;
    case itk::IOComponentEnum::SHORT:
      return SPINEFX_ITK_I16;
    case itk::IOComponentEnum::UINT:
      return SPINEFX_ITK_U32;
    case itk::IOComponentEnum::INT:
      return SPINEFX_ITK_I32;
    case itk::IOComponentEnum::FLOAT:
      return SPINEFX_ITK_F32;
    case itk::IOComponentEnum::DOUBLE:
      return SPINEFX_ITK_F64;
    default:
      return SPINEFX_ITK_OTHER;
  }
}

itk::IOComponentEnum
component_of(int pixel)
{
  switch (pixel)
  {
    case SPINEFX_ITK_U8:
      return itk::IOComponentEnum::UCHAR;
    case SPINEFX_ITK_U16:
      return itk::IOComponentEnum::USHORT;
    case SPINEFX_ITK_I16:
      return itk::IOComponentEnum::SHORT;
    case SPINEFX_ITK_U32:
      return itk::IOComponentEnum::UINT;
    case SPINEFX_ITK_I32:
      return itk::IOComponentEnum::INT;
    case SPINEFX_ITK_F32:
      return itk::IOComponentEnum::FLOAT;
    default:
      throw std::invalid_argument("unsupported pixel type");
  }
}

// Selects everything the file holds, and says how many bytes that is.
uint64_t
select_all(itk::ImageIOBase & io)
{
  const unsigned     dimensions = io.GetNumberOfDimensions();
  itk::ImageIORegion region(dimensions);
  uint64_t           bytes = static_cast<uint64_t>(io.GetComponentSize()) * io.GetNumberOfComponents();
  for (unsigned a = 0; a < dimensions; ++a)
  {
    region.SetIndex(a, 0);
    region.SetSize(a, io.GetDimensions(a));
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(io.GetDimensions(a)), &bytes))
    {
      throw std::overflow_error("the size in the header overflows 64 bits");
    }
  }
  io.SetIORegion(region);
  return bytes;
}

void
information(const char * path, int format, spinefx_itk_header & header)
{
  auto io = open(path, format);
  io->ReadImageInformation();
  const unsigned dimensions = io->GetNumberOfDimensions();
  header.dimensions = dimensions;
  header.bytes = select_all(*io);
  header.components = io->GetNumberOfComponents();
  header.pixel = pixel_of(io->GetComponentType());
  header.scalar = io->GetPixelType() == itk::IOPixelEnum::SCALAR ? 1 : 0;
  header.frames = 1;
  for (unsigned a = 3; a < dimensions; ++a)
  {
    header.frames *= io->GetDimensions(a);
  }
  for (unsigned a = 0; a < 3 && a < dimensions; ++a)
  {
    header.grid.size[a] = io->GetDimensions(a);
    header.grid.spacing_mm[a] = io->GetSpacing(a);
    header.grid.origin_lps[a] = io->GetOrigin(a);
    const auto axis = io->GetDirection(a);
    for (unsigned r = 0; r < 3 && r < axis.size(); ++r)
    {
      header.grid.direction[3 * r + a] = axis[r];
    }
  }
}

void
read(const char * path, int format, int pixel, uint64_t bytes, void * voxels)
{
  auto io = open(path, format);
  io->ReadImageInformation();
  // The file may have been replaced since its header was checked.
  if (select_all(*io) != bytes || pixel_of(io->GetComponentType()) != pixel)
  {
    throw std::runtime_error("the file changed while it was read");
  }
  io->Read(voxels);
}

void
write(const char *             path,
      int                      format,
      int                      pixel,
      const void *             voxels,
      const spinefx_itk_grid & grid,
      bool                     compress)
{
  auto               io = open(path, format);
  itk::ImageIORegion region(3);
  io->SetNumberOfDimensions(3);
  for (unsigned a = 0; a < 3; ++a)
  {
    io->SetDimensions(a, grid.size[a]);
    io->SetSpacing(a, grid.spacing_mm[a]);
    io->SetOrigin(a, grid.origin_lps[a]);
    io->SetDirection(
      a, std::vector<double>{ grid.direction[a], grid.direction[3 + a], grid.direction[6 + a] });
    region.SetSize(a, grid.size[a]);
  }
  io->SetComponentType(component_of(pixel));
  io->SetPixelType(itk::IOPixelEnum::SCALAR);
  io->SetNumberOfComponents(1);
  io->SetUseCompression(compress);
  io->SetIORegion(region);
  io->Write(voxels);
}
} // namespace
} // namespace spinefx

extern "C"
{
  int
  spinefx_itk_file_information(const spinefx_itk_call * call,
                               const char *             path,
                               int                      format,
                               spinefx_itk_header *     header)
  {
    return spinefx::guarded(call, [&] {
      const std::lock_guard<std::mutex> lock(spinefx::one_file_at_a_time);
      spinefx::information(path, format, *header);
    });
  }

  int
  spinefx_itk_file_read(const spinefx_itk_call * call,
                        const char *             path,
                        int                      format,
                        int                      pixel,
                        uint64_t                 bytes,
                        void *                   voxels)
  {
    return spinefx::guarded(call, [&] {
      const std::lock_guard<std::mutex> lock(spinefx::one_file_at_a_time);
      spinefx::read(path, format, pixel, bytes, voxels);
    });
  }

  int
  spinefx_itk_file_write(const spinefx_itk_call * call,
                         const char *             path,
                         int                      format,
                         int                      pixel,
                         const void *             voxels,
                         const spinefx_itk_grid * grid,
                         int                      compress)
  {
    return spinefx::guarded(call, [&] {
      const std::lock_guard<std::mutex> lock(spinefx::one_file_at_a_time);
      spinefx::write(path, format, pixel, voxels, *grid, compress != 0);
    });
  }
}
