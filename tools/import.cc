#include "tools/import.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace eddy::tools {

Import::Import(ImportOptions options, Submit submit, Failed failed)
    : options_(std::move(options)), submit_(std::move(submit)), failed_(std::move(failed)) {}

bool Import::Ready() const {
  return keys_.size() < options_.window && held_ == nullptr && !gave_up();
}

void Import::Take(LineReader::Line line) {
  CHECK(Ready());
  if (line.text.find_first_not_of(" \t\r") == std::string::npos) return;
  Result<Entry> entry = ParseJsonLine(line.text, options_.bucket_default);
  if (!entry) {
    Fail(line, entry.error());
    return;
  }
  auto work = std::make_unique<Work>();
  work->line = std::move(line);
  work->entry = std::move(*entry);
  if (keys_.contains({work->entry.bucket, work->entry.key})) {
    held_ = std::move(work);
  } else {
    Start(std::move(work));
  }
}

wire::ClientRequest Import::RequestFor(const Work& work) const {
  wire::ClientRequest request;
  request.bucket = work.entry.bucket;
  request.key = work.entry.key;
  request.quorum = options_.quorum;
  request.deadline = options_.deadline;
  return request;
}

void Import::Start(std::unique_ptr<Work> work) {
  keys_.emplace(work->entry.bucket, work->entry.key);
  if (options_.blind) {
    WriteNext(std::move(work), {});
    return;
  }
  wire::ClientRequest request = RequestFor(*work);
  request.action = wire::GetAction{.all_siblings = true};
  submit_(std::move(request), [this, work = std::move(work)](wire::ClientReply reply) mutable {
    if (reply.error) {
      Finish(std::move(work), reply.error);
    } else {
      WriteNext(std::move(work), std::move(reply.context));
    }
  });
}

void Import::WriteNext(std::unique_ptr<Work> work, std::string context) {
  wire::ClientRequest request = RequestFor(*work);
  Entry::Value& value = work->entry.values[work->written];
  request.action = wire::PutAction{.value = std::move(value.bytes),
                                   .context = std::move(context),
                                   .expires_at = value.expires_at};
  submit_(std::move(request),
          [this, work = std::move(work)](const wire::ClientReply& reply) mutable {
            if (reply.error) {
              Finish(std::move(work), reply.error);
              return;
            }
            work->written++;
            if (work->written == work->entry.values.size()) {
              Finish(std::move(work), std::nullopt);
            } else {
              // Siblings have not seen each other: the others are written with no context.
              WriteNext(std::move(work), {});
            }
          });
}

void Import::Finish(std::unique_ptr<Work> work, const std::optional<Error>& error) {
  keys_.erase({work->entry.bucket, work->entry.key});
  if (!error) {
    counts_.stored++;
    failures_in_row_ = 0;
  } else if (work->written > 0) {
    // Some of the siblings are there and some are not.
    Fail(work->line, {Code::kUnknownOutcome, error->text});
  } else {
    Fail(work->line, *error);
  }
  if (held_ != nullptr && !keys_.contains({held_->entry.bucket, held_->entry.key})) {
    Start(std::move(held_));
  }
}

void Import::Fail(const LineReader::Line& line, const Error& error) {
  const bool unknown = error.code == Code::kUnknownOutcome;
  (unknown ? counts_.unknown : counts_.failed)++;
  // A line that is wrong in itself says nothing about the cluster.
  const bool refused = error.code == Code::kInvalidArgument || error.code == Code::kTooLarge;
  failures_in_row_ = refused ? 0 : failures_in_row_ + 1;
  first_failed_line_ = std::min(first_failed_line_.value_or(line.number), line.number);
  failed_(line, error);
}

}  // namespace eddy::tools
