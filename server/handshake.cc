#include "server/handshake.h"

#include <fmt/core.h>

namespace eddy::server {

namespace {

std::string Versions(const wire::Hello& hello) {
  if (hello.version_oldest == hello.version) return fmt::format("version {}", hello.version);
  return fmt::format("versions {} to {}", hello.version_oldest, hello.version);
}

Status JudgeVersion(const wire::Hello& own, const wire::Hello& theirs) {
  if (theirs.version >= own.version_oldest && own.version >= theirs.version_oldest) return {};
  return Fail(
      Code::kUnsupported,
      fmt::format("{} speaks {} of the protocol, you speak {}: upgrade the older of the two",
                  own.software, Versions(own), Versions(theirs)));
}

Status JudgeCluster(const wire::Hello& own, const wire::Hello& theirs) {
  if (theirs.cluster == own.cluster) return {};
  return Fail(Code::kWrongCluster,
              fmt::format("this is node {} of cluster '{}', and you asked for cluster '{}': check "
                          "the address and the cluster's name",
                          own.node_name, own.cluster, theirs.cluster));
}

}  // namespace

Status JudgeClient(const wire::Hello& own, const wire::Hello& theirs) {
  if (auto ok = JudgeVersion(own, theirs); !ok) return ok;
  if (theirs.cluster.empty()) return {};
  return JudgeCluster(own, theirs);
}

Status JudgePeer(const wire::Hello& own, const wire::Hello& theirs, bool is_member) {
  if (auto ok = JudgeVersion(own, theirs); !ok) return ok;
  if (auto ok = JudgeCluster(own, theirs); !ok) return ok;
  if (theirs.node == own.node) {
    return Fail(Code::kConflict,
                fmt::format("you say that you are {}, which is this node: give every node a name "
                            "of its own, and an address of its own in the seed list",
                            own.node_name));
  }
  if (!is_member) {
    return Fail(Code::kConflict,
                fmt::format("node {} does not know the node '{}': give every node the same seed "
                            "list",
                            own.node_name, theirs.node_name));
  }
  if (theirs.layout != own.layout) {
    return Fail(Code::kConflict,
                fmt::format("node {} has another layout than node {}: give every node the same "
                            "seed list, with the same hosts, ports and zones",
                            own.node_name, theirs.node_name));
  }
  return {};
}

}  // namespace eddy::server
