// What a node of the next version says is understood here, whatever it is.

#include "sim/next_version.h"

#include <string>
#include <variant>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/wire/messages.h"
#include "wire/codec.h"

namespace eddy::sim {
namespace {

RC_GTEST_PROP(NextVersion, EveryMessageIsLongerAndMeansTheSame, (uint64_t seed)) {
  Random random(seed);
  wire::Encoder encoder;
  for (size_t kind = 0; kind < std::variant_size_v<wire::PeerMessage>; ++kind) {
    const wire::PeerMessage message = wire::MakePeerMessage(&random, kind);
    std::string frame;
    RC_ASSERT(encoder.AppendPeerMessage(message, &frame).has_value());
    const wire::ExactCopy now(wire::OnlyFrame(frame).payload);
    const wire::ExactCopy next(InNextVersion(now.view()));
    RC_ASSERT(next.size() > now.size());
    RC_ASSERT((wire::DecodePeerMessage(next.view()) == message));
  }
}

}  // namespace
}  // namespace eddy::sim
