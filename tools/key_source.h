// Where the keys of an export come from: a file that names them, or the nodes of a cluster, which
// list what they hold. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/connection.h"
#include "tools/command.h"
#include "tools/json_lines.h"
#include "tools/key_merge.h"
#include "tools/line_reader.h"
#include "wire/hello.h"

namespace eddy::tools {

class KeySource {
 public:
  using State = LineReader::State;

  virtual ~KeySource() = default;
  // As LineReader::Next.
  [[nodiscard]] virtual Result<State> Next(ListedKey* key) = 0;
  // After kWaiting: until there may be a key, but not long.
  virtual void Wait() = 0;
};

class KeysOfFile final : public KeySource {
 public:
  KeysOfFile(LineReader reader, std::string bucket_default)
      : reader_(std::move(reader)), bucket_default_(std::move(bucket_default)) {}

  Result<State> Next(ListedKey* key) override;
  void Wait() override;

 private:
  LineReader reader_;
  LineReader::Line line_;
  const std::string bucket_default_;
};

// All keys of a bucket, or of all buckets where it is empty. A node that cannot be asked, or not to
// the end, is left out and named: its keys are also on their other replicas.
class KeysOfCluster final : public KeySource {
 public:
  KeysOfCluster(const GlobalOptions& global, const std::vector<wire::MemberStatus>& members,
                std::string bucket);

  // Blocks while a page is fetched; never kWaiting.
  Result<State> Next(ListedKey* key) override;
  void Wait() override {}

  // "n2: why", for each node that was left out.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  struct Lister {
    std::string name;
    client::Address address;
    std::unique_ptr<client::Connection> connection;  // none: to be made
    std::string cursor;
  };

  void FetchPage(size_t source);
  [[nodiscard]] Result<wire::KeyListReply> Ask(Lister* lister);

  const GlobalOptions& global_;
  const std::string bucket_;
  std::vector<Lister> listers_;
  KeyMerge merge_;
  uint64_t requests_ = 0;
  std::vector<std::string> left_out_;
};

}  // namespace eddy::tools
