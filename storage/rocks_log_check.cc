#include "storage/rocks_log_check.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/core.h>

namespace eddy::storage {

namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = 32 * 1024;
constexpr size_t kHeaderBytes = 7;
constexpr uint8_t kTypeMax = 8;

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

uint32_t MaskedCrc32c(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

uint32_t LittleEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// How long a sound record at the beginning of `rest`, which is within one block, is; 0: there is
// none.
size_t SoundRecord(std::string_view rest) {
  if (rest.size() < kHeaderBytes) return 0;
  const size_t length = LittleEndian(rest.substr(4, 2));
  const auto type = static_cast<uint8_t>(rest[6]);
  if (type == 0 || type > kTypeMax || kHeaderBytes + length > rest.size()) return 0;
  const bool sound = MaskedCrc32c(rest.substr(6, 1 + length)) == LittleEndian(rest.substr(0, 4));
  return sound ? kHeaderBytes + length : 0;
}

// What is known so far, of all logs in order.
struct Found {
  bool bad = false;
  bool sound_after_bad = false;
};

void LookAt(std::string_view block, Found* found) {
  size_t at = 0;
  while (block.size() - at >= kHeaderBytes) {
    const size_t bytes = SoundRecord(block.substr(at));
    if (bytes > 0) {
      found->sound_after_bad = found->bad;
      if (found->bad) return;
      at += bytes;
      continue;
    }
    found->bad = true;
    // Where the bad one's length cannot be believed, the next one begins anywhere.
    while (++at < block.size() && SoundRecord(block.substr(at)) == 0) {
    }
  }
}

}  // namespace

Result<bool> LogsHaveRotted(const std::string& directory) {
  std::vector<fs::path> logs;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".log") logs.push_back(entry->path());
  }
  if (error) {
    return Fail(Code::kIo, fmt::format("cannot list {}: {}", directory, error.message()));
  }
  // Numbered, with leading zeros.
  std::ranges::sort(logs);
  Found found;
  std::string block(kBlockBytes, '\0');
  for (const fs::path& log : logs) {
    std::ifstream file(log, std::ios::binary);
    while (file && !found.sound_after_bad) {
      file.read(block.data(), static_cast<std::streamsize>(block.size()));
      LookAt(std::string_view(block).substr(0, static_cast<size_t>(file.gcount())), &found);
    }
    if (!file.eof() && !found.sound_after_bad) {
      return Fail(Code::kIo, fmt::format("cannot read {}", log.string()));
    }
  }
  return found.sound_after_bad;
}

}  // namespace eddy::storage
