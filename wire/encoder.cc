#include <flatbuffers/flatbuffers.h>

#include "wire/codec.h"
#include "wire/frame.h"

namespace eddy::wire {

namespace {

// A builder that had to grow beyond this for one message gives the memory back after it.
constexpr size_t kScratchBytesKept = 256 * 1024;

}  // namespace

Encoder::Encoder() : builder_(std::make_unique<flatbuffers::FlatBufferBuilder>()) {}
Encoder::~Encoder() = default;
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;

void Encoder::Finish(FrameKind kind, uint32_t root, std::string* out) {
  builder_->Finish(flatbuffers::Offset<void>(root));
  const size_t size = builder_->GetSize();
  AppendFrame(kind, {reinterpret_cast<const char*>(builder_->GetBufferPointer()), size}, out);
  if (size > kScratchBytesKept) {
    builder_->Reset();
  } else {
    builder_->Clear();
  }
}

}  // namespace eddy::wire
