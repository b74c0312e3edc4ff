#include "tools/transfers.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kBarWidth = 20;

std::string Bar(uint64_t done, uint64_t total) {
  const uint64_t filled = total == 0 ? kBarWidth : done * kBarWidth / total;
  return fmt::format("[{:#<{}}{:->{}}]", "", filled, "", kBarWidth - filled);
}

Json OrNull(const std::optional<uint64_t>& number) {
  return number ? Json(*number) : Json(nullptr);
}

Json ReceiverOf(const std::string& name, const Json& said) {
  TransferProgress progress{.partitions = said.at("partitions").get<uint64_t>(),
                            .copied = said.at("copied").get<uint64_t>(),
                            .elapsed_ms = said.at("elapsed_ms").get<uint64_t>()};
  for (const Json& source : said.at("sources")) {
    progress.bytes += source.at("bytes").get<uint64_t>();
  }
  const TransferEstimate estimate = EstimateTransfer(progress);
  return {{"to", name},
          {"layout", said.at("layout")},
          {"partitions", progress.partitions},
          {"copied", progress.copied},
          {"checked", said.at("checked")},
          {"bytes", progress.bytes},
          {"bytes_left", OrNull(estimate.bytes_left)},
          {"bytes_per_second", estimate.bytes_per_second},
          {"seconds_left", OrNull(estimate.seconds_left)},
          {"elapsed_ms", progress.elapsed_ms},
          {"limit_bytes_per_second", said.at("bytes_per_second")},
          {"background_percent", said.at("background_percent")},
          {"sources", said.at("sources")}};
}

std::string DescribeReceiver(const Json& receiver) {
  const auto partitions = receiver.at("partitions").get<uint64_t>();
  const auto copied = receiver.at("copied").get<uint64_t>();
  std::string line =
      fmt::format("{} {} {} of {} partitions, {} fetched", receiver.at("to").get<std::string>(),
                  Bar(copied, partitions), copied, partitions,
                  FormatBytes(receiver.at("bytes").get<uint64_t>()));
  if (copied == partitions) return line + "; all is copied, and is compared once more";
  const Json& bytes_left = receiver.at("bytes_left");
  if (bytes_left.is_number()) {
    line += fmt::format(", about {} left", FormatBytes(bytes_left.get<uint64_t>()));
  }
  line +=
      fmt::format("; {} a second", FormatBytes(receiver.at("bytes_per_second").get<uint64_t>()));
  const Json& seconds_left = receiver.at("seconds_left");
  if (seconds_left.is_number()) {
    line += fmt::format(", about {} left", FormatSeconds(seconds_left.get<uint64_t>()));
  }
  const auto percent = receiver.at("background_percent").get<unsigned>();
  if (percent < 100) line += fmt::format("; slowed down to {}% for clients", percent);
  return line;
}

}  // namespace

TransferEstimate EstimateTransfer(const TransferProgress& progress) {
  TransferEstimate estimate;
  if (progress.elapsed_ms > 0) {
    estimate.bytes_per_second = progress.bytes * 1000 / progress.elapsed_ms;
  }
  if (progress.copied >= progress.partitions) {
    estimate.bytes_left = estimate.seconds_left = 0;
  } else if (progress.copied > 0) {
    const uint64_t left = progress.partitions - progress.copied;
    estimate.bytes_left = progress.bytes / progress.copied * left;
    estimate.seconds_left = (progress.elapsed_ms * left / progress.copied + 999) / 1000;
  }
  return estimate;
}

Json MergeTransfers(const std::vector<std::pair<std::string, Json>>& answers) {
  Json merged = {{"moving", false},
                 {"receivers", Json::array()},
                 {"handing_over", Json::array()},
                 {"silent", Json::array()}};
  for (const auto& [name, said] : answers) {
    if (said.is_null()) {
      merged["silent"].push_back(name);
      continue;
    }
    const bool is_filling = !said.at("elapsed_ms").is_null();
    if (is_filling) merged["receivers"].push_back(ReceiverOf(name, said));
    // Who is being filled looks through what it holds only afterwards.
    if (!is_filling && !said.at("handed_over").get<bool>()) {
      merged["handing_over"].push_back(
          {{"node", name}, {"partitions", said.at("partitions_to_hand_over")}});
    }
  }
  merged["moving"] = !merged.at("receivers").empty() || !merged.at("handing_over").empty();
  return merged;
}

std::vector<std::string> DescribeTransfers(const Json& transfers) {
  std::vector<std::string> lines;
  std::vector<std::vector<std::string>> rows = {
      {"from", "to", "comparisons", "records", "fetched"}};
  for (const Json& receiver : transfers.at("receivers")) {
    for (const Json& source : receiver.at("sources")) {
      rows.push_back({source.at("from").get<std::string>(), receiver.at("to").get<std::string>(),
                      fmt::format("{} of {}", source.at("copied").get<uint64_t>(),
                                  source.at("comparisons").get<uint64_t>()),
                      FormatCount(source.at("records").get<uint64_t>()),
                      FormatBytes(source.at("bytes").get<uint64_t>())});
    }
  }
  if (rows.size() > 1) lines = FormatTable(rows);
  for (const Json& receiver : transfers.at("receivers")) {
    lines.push_back(DescribeReceiver(receiver));
  }
  for (const Json& giver : transfers.at("handing_over")) {
    const auto partitions = giver.at("partitions").get<uint64_t>();
    lines.push_back(
        fmt::format("{} hands over what is not its own any more: {} partition{} to look "
                    "through",
                    giver.at("node").get<std::string>(), partitions, partitions == 1 ? "" : "s"));
  }
  for (const Json& silent : transfers.at("silent")) {
    lines.push_back(fmt::format("{} does not answer", silent.get<std::string>()));
  }
  if (!transfers.at("moving").get<bool>()) lines.emplace_back("Nothing moves.");
  return lines;
}

}  // namespace eddy::tools
