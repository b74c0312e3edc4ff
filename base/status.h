// Errors as values. A function that can fail returns Result<T> or Status; nothing of ours throws.
// The code is for programs and is stable on the wire (never renumber); the text is for people and
// says what to do next.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace eddy {

enum class Code : uint8_t {
  kInvalidArgument = 1,  // the request itself is wrong; the same request can never succeed
  kUnavailable = 2,      // not done: too few replicas could be asked, or the node is not ready
  kUnknownOutcome =
      3,      // a write that may or may not be stored: its deadline passed, or a node fell silent
  kBusy = 4,  // not done: a queue is full; try again later
  kTimeout = 5,       // a read that found too few answers before its deadline
  kCorruption = 6,    // bytes that fail their checksum or their grammar
  kIo = 7,            // the operating system or the storage engine reported an error
  kTooLarge = 8,      // over a limit; the text names the limit
  kWrongCluster = 9,  // the other side belongs to another cluster, or to a newer format
  kConflict =
      10,  // the state found contradicts the request (a lease taken by a twin, a directory in use)
  kUnsupported = 11,  // well formed, but this version does not do it
};

// The stable lower-case name, such as "unavailable": what --json and logs show.
std::string_view CodeName(Code code);

// Whether a byte from the wire names a code.
bool IsCode(uint8_t value);

struct Error {
  Code code;
  std::string text;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline std::unexpected<Error> Fail(Code code, std::string text) {
  return std::unexpected(Error{code, std::move(text)});
}

}  // namespace eddy
