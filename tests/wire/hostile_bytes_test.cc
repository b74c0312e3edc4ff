// Payloads that were damaged and then given a right checksum, as a hostile or broken peer would: a
// decoder refuses them, or takes them for some message that our encoder could have sent. Run under
// the sanitizers, this also shows that no byte outside a payload is read.
#include <string>

#include <gtest/gtest.h>

#include "tests/wire/messages.h"
#include "wire/codec.h"

namespace eddy::wire {
namespace {

// True when accepted. What was accepted is a whole message: it goes through once more unchanged.
bool AcceptsSoundly(FrameKind kind, std::string_view payload) {
  const ExactCopy copy(payload);
  const auto once = Reencode(kind, copy.view());
  if (!once) return false;
  const ExactCopy again(OnlyFrame(*once).payload);
  EXPECT_EQ(Reencode(kind, again.view()), once);
  return true;
}

void Damage(Random* random, std::string* bytes) {
  for (uint64_t i = random->Between(1, 4); i > 0; --i) {
    const size_t at = random->Below(bytes->size());
    switch (random->Below(4)) {
      case 0:
        (*bytes)[at] = static_cast<char>((*bytes)[at] ^ 1 << random->Below(8));
        break;
      case 1:
        (*bytes)[at] = static_cast<char>(random->Chance(1, 2) ? 0xff : random->Below(256));
        break;
      case 2: {
        // Moved structure: offsets and sizes where others belong.
        const size_t from = random->Below(bytes->size());
        const size_t size =
            std::min({random->Between(1, 16), bytes->size() - at, bytes->size() - from});
        bytes->replace(at, size, bytes->substr(from, size));
        break;
      }
      default:
        if (random->Chance(1, 8)) bytes->resize(1 + random->Below(bytes->size()));
    }
  }
}

TEST(HostileBytes, SoundPayloadsAreAccepted) {
  Random random(1);
  for (int i = 0; i < 50; ++i) {
    for (const std::string& frame : MakeFrames(&random)) {
      EXPECT_TRUE(AcceptsSoundly(OnlyFrame(frame).kind, OnlyFrame(frame).payload));
    }
  }
}

TEST(HostileBytes, EveryTruncationIsRefusedOrSound) {
  Random random(2);
  for (const std::string& frame : MakeFrames(&random)) {
    const Frame whole = OnlyFrame(frame);
    for (size_t size = 0; size < whole.payload.size(); ++size) {
      AcceptsSoundly(whole.kind, whole.payload.substr(0, size));
    }
  }
}

TEST(HostileBytes, DamagedPayloadsAreRefusedOrSound) {
  Random random(3);
  int refused = 0;
  int accepted = 0;
  for (int i = 0; i < 400; ++i) {
    for (const std::string& frame : MakeFrames(&random)) {
      for (int j = 0; j < 8; ++j) {
        std::string payload(OnlyFrame(frame).payload);
        Damage(&random, &payload);
        ++(AcceptsSoundly(OnlyFrame(frame).kind, payload) ? accepted : refused);
      }
    }
  }
  // The damage is neither always fatal nor always without effect, or this would test nothing.
  EXPECT_GT(refused, 1000);
  EXPECT_GT(accepted, 1000);
}

// A payload of one kind under the name of another.
TEST(HostileBytes, PayloadsOfOtherKindsAreRefusedOrSound) {
  Random random(4);
  for (int i = 0; i < 50; ++i) {
    for (const std::string& frame : MakeFrames(&random)) {
      for (uint32_t kind = 1; kind <= 7; ++kind) {
        AcceptsSoundly(static_cast<FrameKind>(kind), OnlyFrame(frame).payload);
      }
    }
  }
}

TEST(HostileBytes, NoiseIsRefusedOrSound) {
  Random random(5);
  for (int i = 0; i < 3000; ++i) {
    const std::string noise = MakeBytes(&random, 0, 200);
    for (uint32_t kind = 1; kind <= 7; ++kind) AcceptsSoundly(static_cast<FrameKind>(kind), noise);
  }
}

}  // namespace
}  // namespace eddy::wire
