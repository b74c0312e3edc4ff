#include "storage/record_codec.h"

#include <rapidcheck.h>

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "tests/lattice/generators.h"

namespace eddy::storage {
namespace {

using lattice::Actor;
using lattice::Record;
using lattice::Sibling;

Record RecordOf(const std::string& value) {
  Record record;
  record.Put({}, Sibling{.dot = {Actor(1), 3}, .timestamp = {5}, .value = value}, {});
  return record;
}

TEST(RecordCodec, HasTheLayoutThatIsWrittenDown) {
  std::string expected;
  AppendU8(&expected, 1);           // format
  AppendVarint(&expected, 1);       // context: one actor
  AppendBigEndian64(&expected, 0);  //
  AppendBigEndian64(&expected, 1);  //
  AppendVarint(&expected, 1);       // one interval
  AppendVarint(&expected, 2);       // (2,
  AppendVarint(&expected, 1);       // 3]
  AppendVarint(&expected, 1);       // one sibling
  AppendVarint(&expected, 0);       // by the first actor
  AppendVarint(&expected, 3);       // its third write
  AppendU64(&expected, 5);          // timestamp
  AppendVarint(&expected, 0);       // expires never
  AppendBytes(&expected, "value");
  EXPECT_EQ(EncodeRecord(RecordOf("value")), expected);
}

TEST(RecordCodec, TheEmptyRecordIsNoBytesAtAll) {
  EXPECT_EQ(EncodeRecord(Record()), "");
  ASSERT_TRUE(DecodeRecord("").has_value());
  EXPECT_TRUE(DecodeRecord("")->empty());
}

TEST(RecordCodec, CarriesTombstonesExpiriesAndBinaryValues) {
  Record record = RecordOf(std::string("\0\xff", 2));
  Record tombstone = record;
  tombstone.Delete(record.context());
  EXPECT_EQ(DecodeRecord(EncodeRecord(tombstone)), tombstone);
  for (const WallTime expires_at :
       {WallTime(), WallTime(std::chrono::milliseconds(1)),
        Sibling::kNever - std::chrono::milliseconds(1), Sibling::kNever}) {
    record.Put(record.context(),
               Sibling{.dot = {Actor(1), record.context().LastOf(Actor(1)).last + 1},
                       .timestamp = {~uint64_t{0}},
                       .expires_at = expires_at,
                       .value = {}},
               {});
    EXPECT_EQ(DecodeRecord(EncodeRecord(record)), record);
  }
}

RC_GTEST_PROP(RecordCodec, RecordsComeBackFromTheirBytes, (const Record& record)) {
  const Result<Record> back = DecodeRecord(EncodeRecord(record));
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == record);
}

RC_GTEST_PROP(RecordCodec, EqualRecordsAndOnlyTheyHaveEqualBytes,
              (const Record& a, const Record& b)) {
  RC_ASSERT((EncodeRecord(a) == EncodeRecord(b)) == (a == b));
  Record ab = a, ba = b;
  ab.Join(b);
  ba.Join(a);
  RC_ASSERT(EncodeRecord(ab) == EncodeRecord(ba));
  RC_ASSERT(RecordDigest(EncodeRecord(ab)) == RecordDigest(EncodeRecord(ba)));
}

RC_GTEST_PROP(RecordCodec, AcceptsNoBytesThatItWouldNotHaveWritten, (const Record& record)) {
  const std::string encoded = EncodeRecord(record);
  for (size_t size = 1; size < encoded.size(); ++size) {
    RC_ASSERT(!DecodeRecord(std::string_view(encoded).substr(0, size)).has_value());
  }
  if (!encoded.empty()) RC_ASSERT(!DecodeRecord(encoded + '\0').has_value());
  for (size_t i = 0; i < encoded.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = encoded;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      if (const Result<Record> accepted = DecodeRecord(changed); accepted.has_value()) {
        RC_ASSERT(EncodeRecord(*accepted) == changed);
      } else {
        RC_ASSERT(accepted.error().code == Code::kCorruption);
      }
    }
  }
}

TEST(RecordCodec, RefusesMalformedBytes) {
  std::string context;
  RecordOf("").context().AppendTo(&context);
  const auto sibling = [](uint64_t actor, uint64_t counter, uint64_t expiry) {
    std::string bytes;
    AppendVarint(&bytes, actor);
    AppendVarint(&bytes, counter);
    AppendU64(&bytes, 0);
    AppendVarint(&bytes, expiry);
    AppendBytes(&bytes, "v");
    return bytes;
  };
  const auto never = static_cast<uint64_t>(Sibling::kNever.time_since_epoch().count());
  const std::string head = "\x01" + context;
  ASSERT_TRUE(DecodeRecord(head + "\x01" + sibling(0, 3, 0)).has_value());
  ASSERT_TRUE(DecodeRecord(head + "\x01" + sibling(0, 3, never)).has_value());
  const std::vector<std::pair<std::string, std::string>> malformed = {
      {"a newer format", "\x02" + context + std::string(1, '\0')},
      {"the empty record spelt out", std::string("\x01\0\0", 3)},
      {"an actor that the context does not name", head + "\x01" + sibling(1, 3, 0)},
      {"a dot that the context does not cover", head + "\x01" + sibling(0, 4, 0)},
      {"never, spelt as a time", head + "\x01" + sibling(0, 3, never + 1)},
      {"a time past never", head + "\x01" + sibling(0, 3, ~uint64_t{0})},
      {"one dot twice", head + "\x02" + sibling(0, 3, 0) + sibling(0, 3, 0)},
      {"more siblings than bytes", head + "\xff\xff\xff\xff\x0f"},
  };
  for (const auto& [what, bytes] : malformed) {
    const Result<Record> record = DecodeRecord(bytes);
    ASSERT_FALSE(record.has_value()) << what;
    EXPECT_EQ(record.error().code, Code::kCorruption) << what;
  }
}

TEST(StoredRecord, ComesBackWithWhatItsReplicaKnows) {
  const std::string encoded = EncodeRecord(RecordOf("value"));
  std::string stored = encoded;
  SealRecord("key", 42, &stored);
  EXPECT_NE(stored, encoded);
  EXPECT_EQ(UnsealRecord("key", &stored), 42u);
  EXPECT_EQ(stored, encoded);
}

TEST(StoredRecord, EveryFlippedBitAndEveryTruncationIsFound) {
  std::string stored = EncodeRecord(RecordOf("value"));
  SealRecord("key", 42, &stored);
  for (size_t i = 0; i < stored.size() * 8; ++i) {
    std::string changed = stored;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << (i % 8)));
    const Result<uint64_t> unsealed = UnsealRecord("key", &changed);
    ASSERT_FALSE(unsealed.has_value()) << "bit " << i;
    EXPECT_EQ(unsealed.error().code, Code::kCorruption);
  }
  for (size_t size = 0; size < stored.size(); ++size) {
    std::string cut = stored.substr(0, size);
    EXPECT_FALSE(UnsealRecord("key", &cut).has_value()) << size;
  }
}

TEST(StoredRecord, IsFoundOutUnderAnotherKey) {
  std::string stored = EncodeRecord(RecordOf("value"));
  SealRecord("key", 42, &stored);
  EXPECT_FALSE(UnsealRecord("kez", &stored).has_value());
}

TEST(StoredRecord, ARowTooShortToBeOneIsFoundEvenIfSealed) {
  std::string row = "row";
  SealRow("key", &row);
  EXPECT_FALSE(UnsealRecord("key", &row).has_value());
}

}  // namespace
}  // namespace eddy::storage
