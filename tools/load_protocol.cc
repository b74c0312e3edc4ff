#include "tools/load_protocol.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/limits.h"
#include "bench/floor/frame.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace eddy::tools {

namespace {

class NativeLoadProtocol final : public LoadProtocol {
 public:
  explicit NativeLoadProtocol(const LoadProtocolOptions& options) : client_(options.client) {
    request_.bucket = options.bucket;
    request_.quorum = options.quorum;
  }

  Status AppendRequest(const LoadRequest& request, std::string* out) override {
    // The slot travels in the id, so that a reply finds its request without a table; the rest of
    // the sequence makes every id a new one.
    request_.id = {.client = client_, .sequence = ++requests_ << kSlotBits | request.slot};
    request_.key.assign(request.key);
    if (request.is_set) {
      if (!std::holds_alternative<wire::PutAction>(request_.action)) {
        request_.action = wire::PutAction{};
      }
      std::get<wire::PutAction>(request_.action).value.assign(request.value);
    } else {
      request_.action = wire::GetAction{};
    }
    return encoder_.AppendClientRequest(request_, out);
  }

  Result<std::optional<LoadReply>> TakeReply(std::string_view input) override {
    const auto frame = wire::ParseFrame(input, wire::kPayloadBytesMax);
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) return std::nullopt;
    if ((*frame)->kind == wire::FrameKind::kRefusal) {
      const Result<Error> refusal = wire::DecodeRefusal((*frame)->payload);
      return std::unexpected(refusal ? *refusal : refusal.error());
    }
    auto decoded = wire::DecodeClientReply((*frame)->payload);
    if (!decoded) return std::unexpected(decoded.error());
    return LoadReply{.size = (*frame)->size,
                     .slot = static_cast<uint32_t>(decoded->id.sequence & ((1u << kSlotBits) - 1)),
                     .absent = decoded->siblings.empty(),
                     .error = std::move(decoded->error)};
  }

 private:
  static constexpr unsigned kSlotBits = 20;

  const uint64_t client_;
  uint64_t requests_ = 0;
  wire::Encoder encoder_;
  wire::ClientRequest request_;  // reused, so that a request allocates nothing
};

// Replies come in the order of the requests, so the slots go round.
class RespLoadProtocol final : public LoadProtocol {
 public:
  explicit RespLoadProtocol(const LoadProtocolOptions& options) : window_(options.window) {}

  Status AppendRequest(const LoadRequest& request, std::string* out) override {
    out->append(request.is_set ? "*3\r\n$3\r\nSET\r\n" : "*2\r\n$3\r\nGET\r\n");
    AppendBulk(request.key, out);
    if (request.is_set) AppendBulk(request.value, out);
    return {};
  }

  Result<std::optional<LoadReply>> TakeReply(std::string_view input) override {
    const size_t line_end = input.find("\r\n");
    if (line_end == std::string_view::npos) {
      if (input.size() > kLineBytesMax) return Fail(Code::kCorruption, "a reply without an end");
      return std::nullopt;
    }
    const std::string_view line = input.substr(0, line_end);
    LoadReply reply{.size = line_end + 2};
    if (line.starts_with('-')) {
      reply.error = Error{Code::kUnavailable, std::string(line.substr(1))};
    } else if (line.starts_with('$')) {
      int64_t length = 0;
      std::from_chars(line.data() + 1, line.data() + line.size(), length);
      reply.absent = length < 0;
      if (length >= 0) reply.size += static_cast<size_t>(length) + 2;
      if (input.size() < reply.size) return std::nullopt;
    } else if (line.starts_with('_')) {
      reply.absent = true;
    } else if (!line.starts_with('+')) {
      return Fail(Code::kCorruption, fmt::format("not a RESP reply: {}", line));
    }
    reply.slot = std::exchange(next_slot_, (next_slot_ + 1) % window_);
    return reply;
  }

 private:
  static constexpr size_t kLineBytesMax = 64 * 1024;

  static void AppendBulk(std::string_view bytes, std::string* out) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof(digits), bytes.size()).ptr;
    out->push_back('$');
    out->append(digits, end);
    out->append("\r\n").append(bytes).append("\r\n");
  }

  const uint32_t window_;
  uint32_t next_slot_ = 0;
};

class FloorLoadProtocol final : public LoadProtocol {
 public:
  Status AppendRequest(const LoadRequest& request, std::string* out) override {
    bench::AppendFloorFrame(request.is_set ? bench::FloorVerb::kPut : bench::FloorVerb::kGet,
                            request.slot, request.key, request.value, {}, out);
    return {};
  }

  Result<std::optional<LoadReply>> TakeReply(std::string_view input) override {
    const auto frame = bench::ParseFloorFrame(input);
    if (!frame) return std::nullopt;
    const bool is_value = frame->verb == bench::FloorVerb::kValue;
    if (!is_value && frame->verb != bench::FloorVerb::kDone) {
      return Fail(Code::kCorruption, "not a reply of eddy-floor: is it another kind of door?");
    }
    return LoadReply{
        .size = frame->size, .slot = frame->id, .absent = is_value && frame->rest.empty()};
  }
};

}  // namespace

std::unique_ptr<LoadProtocol> MakeLoadProtocol(const LoadProtocolOptions& options) {
  switch (options.door) {
    case Door::kNative:
      return std::make_unique<NativeLoadProtocol>(options);
    case Door::kResp:
      return std::make_unique<RespLoadProtocol>(options);
    case Door::kFloor:
      return std::make_unique<FloorLoadProtocol>();
  }
  return nullptr;
}

}  // namespace eddy::tools
