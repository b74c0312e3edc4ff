#include "wire/codec.h"
#include "wire/flat.h"

namespace eddy::wire {

Offset<flat::Doors> ToDoors(FlatBufferBuilder* builder, const ring::Doors& doors) {
  const auto host = ToText(builder, doors.host);
  return flat::CreateDoors(*builder, host, doors.native, doors.peer, doors.resp, doors.http);
}

ring::Doors FromDoors(const flat::Doors* doors) {
  return ring::Doors{.host = FromText(doors->host()),
                     .native = doors->native(),
                     .peer = doors->peer(),
                     .resp = doors->resp(),
                     .http = doors->http()};
}

void Encoder::AppendHello(const Hello& hello, std::string* out) {
  const auto cluster = ToText(builder_.get(), hello.cluster);
  const auto software = ToText(builder_.get(), hello.software);
  const auto node_name = ToText(builder_.get(), hello.node_name);
  const auto doors = ToDoors(builder_.get(), hello.doors);
  const flat::Id node = ToId(hello.node);
  const flat::Digest layout = ToDigest(hello.layout);
  const auto root = flat::CreateHello(*builder_, hello.version, hello.version_oldest, cluster,
                                      software, &node, node_name, doors, &layout);
  Finish(FrameKind::kHello, root.o, out);
}

Result<Hello> DecodeHello(std::string_view payload) {
  const auto root = Root<flat::Hello>(payload, "hello");
  if (!root) return std::unexpected(root.error());
  const flat::Hello& flat = **root;
  if (flat.version() == 0 || flat.version_oldest() > flat.version()) return Malformed("hello");
  Hello hello;
  hello.version = flat.version();
  hello.version_oldest = flat.version_oldest();
  hello.cluster = FromText(flat.cluster());
  hello.software = FromText(flat.software());
  hello.node = FromId<NodeId>(flat.node());
  hello.node_name = FromText(flat.node_name());
  if (flat.doors() != nullptr) hello.doors = FromDoors(flat.doors());
  hello.layout = FromDigest(flat.layout());
  return hello;
}

void Encoder::AppendRefusal(const Error& error, std::string* out) {
  const auto root = flat::CreateRefusal(*builder_, ToError(builder_.get(), error));
  Finish(FrameKind::kRefusal, root.o, out);
}

Result<Error> DecodeRefusal(std::string_view payload) {
  const auto root = Root<flat::Refusal>(payload, "refusal");
  if (!root) return std::unexpected(root.error());
  return FromError((*root)->error());
}

}  // namespace eddy::wire
