#include "tools/load_protocol.h"

#include <charconv>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
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
    switch (request.verb) {
      case LoadVerb::kGet:
        request_.action = wire::GetAction{};
        break;
      case LoadVerb::kSet: {
        auto* put = std::get_if<wire::PutAction>(&request_.action);
        if (put == nullptr) put = &request_.action.emplace<wire::PutAction>();
        put->value.assign(request.value);
        put->context.assign(request.context);
        break;
      }
      case LoadVerb::kGetMany:
        return Fail(Code::kUnsupported, "the native door has no request for several keys");
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
                     .context = std::move(decoded->context),
                     .error = std::move(decoded->error)};
  }

 private:
  static constexpr unsigned kSlotBits = 20;

  const uint64_t client_;
  uint64_t requests_ = 0;
  wire::Encoder encoder_;
  wire::ClientRequest request_;  // reused, so that a request allocates nothing
};

// By the first word of an error reply (docs/RESP.md).
Code CodeOfResp(std::string_view text) {
  constexpr std::pair<std::string_view, Code> kWords[] = {{"CLUSTERDOWN", Code::kUnavailable},
                                                          {"LOADING", Code::kUnavailable},
                                                          {"TRYAGAIN", Code::kBusy},
                                                          {"TIMEOUT", Code::kTimeout},
                                                          {"EDDYUNKNOWN", Code::kUnknownOutcome},
                                                          {"IOERR", Code::kIo}};
  for (const auto& [word, code] : kWords) {
    if (text.starts_with(word)) return code;
  }
  return Code::kInvalidArgument;
}

// Replies come in the order of the requests.
class RespLoadProtocol final : public LoadProtocol {
 public:
  explicit RespLoadProtocol(const LoadProtocolOptions& options) : asked_(options.window) {}

  Status AppendRequest(const LoadRequest& request, std::string* out) override {
    if (asked_count_ == asked_.size()) {
      return Fail(Code::kConflict, "more requests than there are slots");
    }
    asked_[(asked_first_ + asked_count_++) % asked_.size()] = request.slot;
    switch (request.verb) {
      case LoadVerb::kGet:
        out->append("*2\r\n$3\r\nGET\r\n");
        AppendBulk(request.key, out);
        break;
      case LoadVerb::kSet:
        out->append("*3\r\n$3\r\nSET\r\n");
        AppendBulk(request.key, out);
        AppendBulk(request.value, out);
        break;
      case LoadVerb::kGetMany:
        AppendNumber('*', request.keys.size() + 1, out);
        out->append("$4\r\nMGET\r\n");
        for (const std::string& key : request.keys) AppendBulk(key, out);
        break;
    }
    return {};
  }

  Result<std::optional<LoadReply>> TakeReply(std::string_view input) override {
    const auto first = TakeElement(input);
    if (!first) return std::unexpected(first.error());
    if (!*first) return std::nullopt;
    LoadReply reply{.size = (*first)->size, .absent = (*first)->kind == Kind::kNothing};
    if ((*first)->kind == Kind::kError) {
      reply.error = Error{CodeOfResp((*first)->text), std::string((*first)->text)};
    }
    if ((*first)->kind == Kind::kArray) {
      reply.absent = true;
      for (uint64_t left = (*first)->elements; left > 0; left--) {
        const auto element = TakeElement(input.substr(reply.size));
        if (!element) return std::unexpected(element.error());
        if (!*element) return std::nullopt;
        reply.size += (*element)->size;
        if ((*element)->kind != Kind::kNothing) reply.absent = false;
      }
    }
    if (asked_count_ == 0) return Fail(Code::kCorruption, "a reply to nothing that was asked");
    reply.slot = asked_[asked_first_];
    asked_first_ = (asked_first_ + 1) % asked_.size();
    asked_count_--;
    return reply;
  }

 private:
  enum class Kind { kDone, kValue, kNothing, kError, kArray };
  struct Element {
    Kind kind = Kind::kDone;
    size_t size = 0;        // of an array: of its head
    std::string_view text;  // of an error
    uint64_t elements = 0;  // of an array
  };

  static constexpr size_t kLineBytesMax = 64 * 1024;

  static Result<std::optional<Element>> TakeElement(std::string_view input) {
    const size_t line_end = input.find("\r\n");
    if (line_end == std::string_view::npos) {
      if (input.size() > kLineBytesMax) return Fail(Code::kCorruption, "a reply without an end");
      return std::nullopt;
    }
    const std::string_view line = input.substr(0, line_end);
    Element element{.size = line_end + 2};
    if (line.starts_with('-')) {
      element.kind = Kind::kError;
      element.text = line.substr(1);
    } else if (line.starts_with('_')) {
      element.kind = Kind::kNothing;
    } else if (line.starts_with('$') || line.starts_with('*')) {
      int64_t length = -1;
      std::from_chars(line.data() + 1, line.data() + line.size(), length);
      if (length < 0) {
        element.kind = Kind::kNothing;
      } else if (line.starts_with('*')) {
        element.kind = Kind::kArray;
        element.elements = static_cast<uint64_t>(length);
      } else {
        element.kind = Kind::kValue;
        element.size += static_cast<size_t>(length) + 2;
        if (input.size() < element.size) return std::nullopt;
      }
    } else if (!line.starts_with('+')) {
      return Fail(Code::kCorruption, fmt::format("not a RESP reply: {}", Quoted(line)));
    }
    return element;
  }

  static void AppendNumber(char kind, size_t number, std::string* out) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    out->push_back(kind);
    out->append(digits, end);
    out->append("\r\n");
  }

  static void AppendBulk(std::string_view bytes, std::string* out) {
    AppendNumber('$', bytes.size(), out);
    out->append(bytes).append("\r\n");
  }

  // A ring: the slots of the requests that no reply has come to, in the order in which they left.
  std::vector<uint32_t> asked_;
  size_t asked_first_ = 0;
  size_t asked_count_ = 0;
};

class FloorLoadProtocol final : public LoadProtocol {
 public:
  Status AppendRequest(const LoadRequest& request, std::string* out) override {
    if (request.verb == LoadVerb::kGetMany) {
      return Fail(Code::kUnsupported, "the floor has no request for several keys");
    }
    bench::AppendFloorFrame(
        request.verb == LoadVerb::kSet ? bench::FloorVerb::kPut : bench::FloorVerb::kGet,
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

std::string_view NameOf(Door door) {
  switch (door) {
    case Door::kNative:
      return "native";
    case Door::kResp:
      return "resp";
    case Door::kFloor:
      return "floor";
  }
  return "";
}

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
