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

Status JudgePeer(const wire::Hello& own, const wire::Hello& theirs) {
  if (auto ok = JudgeVersion(own, theirs); !ok) return ok;
  if (auto ok = JudgeCluster(own, theirs); !ok) return ok;
  if (theirs.node.IsNone()) {
    return Fail(Code::kInvalidArgument,
                "the peer door is for nodes, and you do not say which you "
                "are: clients have a door of their own");
  }
  if (theirs.node == own.node) {
    return Fail(Code::kConflict,
                fmt::format("you say that you are {}, which is this node: was its data directory "
                            "copied? give every node a directory of its own",
                            own.node_name));
  }
  if (own.layout != Digest() && theirs.layout != Digest() && theirs.layout != own.layout) {
    return Fail(Code::kWrongCluster,
                fmt::format("node {} and node {} are of two clusters, both named '{}', that were "
                            "founded apart: empty the data directories of the one that is not "
                            "wanted, and start its nodes with seeds of the other",
                            own.node_name, theirs.node_name, own.cluster));
  }
  return {};
}

}  // namespace eddy::server
