#include "node/layout_acceptor.h"

#include "base/bytes.h"

namespace eddy::node {

namespace {

void AppendBallot(std::string* out, const wire::Ballot& ballot) {
  AppendVarint(out, ballot.round);
  AppendBigEndian64(out, ballot.proposer.high);
  AppendBigEndian64(out, ballot.proposer.low);
}

wire::Ballot ReadBallot(ByteReader* reader) {
  wire::Ballot ballot;
  ballot.round = reader->Varint();
  ballot.proposer.high = reader->BigEndian64();
  ballot.proposer.low = reader->BigEndian64();
  return ballot;
}

bool CanFollow(const std::string& value, const ring::Layout& newest) {
  const auto layout = ring::Layout::Decode(value);
  return layout && layout->version() == newest.version() + 1 &&
         layout->origin() == newest.origin() && layout->partition_bits() == newest.partition_bits();
}

}  // namespace

Result<LayoutAcceptor> LayoutAcceptor::Decode(std::string_view row) {
  LayoutAcceptor acceptor;
  ByteReader reader(row);
  acceptor.version_ = reader.Varint();
  acceptor.promised_ = ReadBallot(&reader);
  acceptor.accepted_ = ReadBallot(&reader);
  acceptor.value_ = reader.Bytes();
  if (!reader.AtEnd()) return Fail(Code::kCorruption, "not what an acceptor has promised");
  return acceptor;
}

std::string LayoutAcceptor::Encode() const {
  std::string row;
  AppendVarint(&row, version_);
  AppendBallot(&row, promised_);
  AppendBallot(&row, accepted_);
  AppendBytes(&row, value_);
  return row;
}

std::optional<wire::LayoutVote> LayoutAcceptor::OnBallot(const wire::LayoutBallot& ballot,
                                                         const ring::Layout& newest) {
  if (!ballot.value.empty() && !CanFollow(ballot.value, newest)) return std::nullopt;
  if (version_ != ballot.version) {
    *this = LayoutAcceptor();
    version_ = ballot.version;
  }
  wire::LayoutVote vote{.op = ballot.op,
                        .version = version_,
                        .ballot = ballot.ballot,
                        .accepts = !ballot.value.empty()};
  if (ballot.ballot < promised_) {
    vote.seen = promised_;
    return vote;
  }
  vote.granted = true;
  promised_ = ballot.ballot;
  if (ballot.value.empty()) {
    vote.seen = accepted_;
    vote.value = value_;
  } else {
    accepted_ = ballot.ballot;
    value_ = ballot.value;
  }
  return vote;
}

}  // namespace eddy::node
