// What `eddyctl bench` shows: a line a second, a table with a line for each measurement, and the
// same as JSON and as a page. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/load_mix.h"
#include "tools/load_protocol.h"
#include "tools/load_tally.h"

namespace eddy::tools {

// What one line of the table measures.
struct BenchCell {
  Door door = Door::kNative;
  LoadMix mix{"get", LoadKind::kRead};
  size_t value_bytes = 0;
  uint32_t connections = 0;
  uint32_t depth = 0;
  uint64_t rate = 0;  // of an open loop
};

struct BenchRow {
  BenchCell cell;
  LoadResult load;
  std::optional<double> server_us;  // per operation, all servers
};

class BenchTable {
 public:
  // As wide as the names in these.
  explicit BenchTable(const std::vector<BenchCell>& cells);

  std::string Header() const;
  std::string Line(const BenchRow& row) const;
  // What does not fit into a line, for people: the kinds of a mix, texts of errors, how an open
  // loop fell behind, a pause.
  static std::vector<std::string> Notes(const BenchRow& row);

 private:
  size_t name_width_;
};

// "  12 s   12,345 ops/s   p50 310 us   p99 890 us   3 errors".
std::string BenchSecondLine(size_t second, const LoadSecond& load);

nlohmann::ordered_json BenchRowJson(const BenchRow& row);
// Of an array of what BenchRowJson gives: a page of HTML that needs nothing else.
std::string BenchPage(const nlohmann::ordered_json& rows);

}  // namespace eddy::tools
