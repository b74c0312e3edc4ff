// put, get, del: one key at a time, as a person or a script does it.
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <expected>
#include <functional>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "tools/command.h"
#include "tools/json_lines.h"
#include "tools/session.h"
#include "tools/text.h"
#include "wire/context_token.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

struct KeyOptions {
  std::string bucket = "default";
  std::string key;
  wire::QuorumOptions quorum;
  bool show_context = false;
};

struct WriteOptions : KeyOptions {
  std::string context;  // text
  bool blind = false;
};

struct PutOptions : WriteOptions {
  std::optional<std::string> value;
  std::string file;
  std::optional<std::chrono::milliseconds> ttl;
};

struct GetOptions : KeyOptions {
  bool all = false;
};

void AddKeyOptions(CLI::App* verb, KeyOptions* options) {
  verb->add_option("KEY", options->key, "The key")->required()->option_text(" ");
  verb->add_option("--bucket", options->bucket,
                   "The bucket [default]; the keys of Redis clients are in bucket redis")
      ->option_text("NAME");
  verb->add_flag_callback(
      "--strict", [options] { options->quorum.sloppy = false; },
      "Only the key's owners count, no node that stands in for one that is down");
  verb->add_flag("--show-context", options->show_context,
                 "Print the causal context, for a later --context");
}

void AddReadOptions(CLI::App* verb, KeyOptions* options) {
  AddQuorumOption(verb, "-r", "Replicas that must answer a read [of the bucket]",
                  &options->quorum.r);
  AddQuorumOption(verb, "--pr", "How many of them must be primaries [of the bucket]",
                  &options->quorum.pr);
}

void AddWriteOptions(CLI::App* verb, WriteOptions* options) {
  AddQuorumOption(verb, "-w", "Replicas that must store a write [of the bucket]",
                  &options->quorum.w);
  AddQuorumOption(verb, "--pw", "How many of them must be primaries [of the bucket]",
                  &options->quorum.pw);
  verb->add_option("--context", options->context,
                   "Replace exactly what was seen in this context (get --show-context)")
      ->option_text("TOKEN");
  verb->add_flag(
      "--blind", options->blind,
      "Write without having seen anything: beside what is there, as a sibling, or in its "
      "place where the bucket's last writer wins");
}

wire::ClientRequest RequestOf(const GlobalOptions& global, const KeyOptions& options) {
  wire::ClientRequest request;
  request.bucket = options.bucket;
  request.key = options.key;
  request.quorum = options.quorum;
  request.deadline = global.timeout;
  return request;
}

void SetKey(const KeyOptions& options, Json* object) {
  SetBytes("bucket", options.bucket, object);
  SetBytes("key", options.key, object);
}

void SetReply(const wire::ClientReply& reply, Json* object) {
  (*object)["context"] = wire::ContextTokenToText(reply.context);
  (*object)["needed"] = reply.needed;
  (*object)["answered"] = reply.answered;
}

std::string DotText(const lattice::Dot& dot) {
  return fmt::format("{}:{}", dot.actor.ToHex(), dot.counter);
}

Json SiblingObject(const wire::ShownSibling& sibling) {
  Json object;
  object["dot"] = DotText(sibling.dot);
  object["time"] = FormatWallTime(sibling.timestamp.wall());
  object["bytes"] = sibling.value.size();
  if (sibling.expires_at != lattice::Sibling::kNever) {
    object["expires_at_ms"] = sibling.expires_at.time_since_epoch().count();
  }
  SetBytes("value", sibling.value, &object);
  return object;
}

Result<std::string> ReadAll(std::FILE* file, std::string_view name) {
  std::string bytes;
  char buffer[64 * 1024];
  while (const size_t count = std::fread(buffer, 1, sizeof(buffer), file)) {
    bytes.append(buffer, count);
    if (const Status fits = CheckValue(bytes); !fits) return std::unexpected(fits.error());
  }
  if (std::ferror(file) != 0) {
    return Fail(Code::kIo, fmt::format("cannot read {}: {}", name, std::strerror(errno)));
  }
  return bytes;
}

Result<std::string> ValueToPut(const PutOptions& options) {
  if (!options.file.empty()) {
    if (options.value) {
      return Fail(Code::kInvalidArgument, "a value and --file: give one of them");
    }
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
        std::fopen(options.file.c_str(), "rb"), std::fclose);
    if (file == nullptr) {
      return Fail(Code::kIo, fmt::format("cannot open {}: {}", options.file, std::strerror(errno)));
    }
    return ReadAll(file.get(), options.file);
  }
  if (options.value && *options.value != "-") return *options.value;
  if (!options.value && isatty(STDIN_FILENO) == 1) {
    return Fail(Code::kInvalidArgument,
                "no value: give it behind the key, with --file FILE, or on standard input with -");
  }
  return ReadAll(stdin, "standard input");
}

// The context to write with: the one given, none for a blind write, and otherwise that of what is
// stored now, so that the write replaces it.
std::expected<std::string, ExitCode> ContextToWrite(client::Client* client,
                                                    const GlobalOptions& global,
                                                    const WriteOptions& options) {
  const Output& output = global.output;
  if (!options.context.empty() && options.blind) {
    return std::unexpected(output.Fail(ExitCode::kUsage, CodeName(Code::kInvalidArgument),
                                       "--context and --blind: give one of them"));
  }
  if (!options.context.empty()) {
    const Result<std::string> token = wire::ContextTokenFromText(options.context);
    if (!token) return std::unexpected(output.Fail(token.error()));
    return *token;
  }
  if (options.blind) return std::string();
  wire::ClientRequest request = RequestOf(global, options);
  request.quorum = {};
  request.quorum.n = options.quorum.n;
  request.action = wire::GetAction{.all_siblings = true};
  wire::ClientReply seen = client->Execute(std::move(request));
  if (seen.error) {
    seen.error->text = fmt::format(
        "nothing was written, since what is there could not be read: {} (--blind writes without "
        "reading)",
        seen.error->text);
    return std::unexpected(output.Fail(*seen.error));
  }
  if (seen.siblings.size() > 1) {
    output.Note(fmt::format("replacing {} siblings", seen.siblings.size()));
  }
  return std::move(seen.context);
}

ExitCode Write(const GlobalOptions& global, const WriteOptions& options,
               const std::function<void(std::string context, wire::ClientRequest*)>& set_action) {
  const Output& output = global.output;
  auto client = OpenClient(global, Routing::kGivenNodes);
  if (!client) return output.Fail(client.error());
  auto context = ContextToWrite(client->get(), global, options);
  if (!context) return context.error();
  wire::ClientRequest request = RequestOf(global, options);
  set_action(std::move(*context), &request);
  const wire::ClientReply reply = (*client)->Execute(std::move(request));
  if (reply.error) return output.Fail(*reply.error);
  if (output.json()) {
    Json object;
    SetKey(options, &object);
    SetReply(reply, &object);
    output.Json(object);
  } else if (options.show_context) {
    output.Line(wire::ContextTokenToText(reply.context));
  }
  return ExitCode::kOk;
}

ExitCode Put(const GlobalOptions& global, const PutOptions& options) {
  Result<std::string> value = ValueToPut(options);
  if (!value) return global.output.Fail(value.error());
  WallTime expires_at = lattice::Sibling::kNever;
  if (options.ttl) {
    expires_at = std::chrono::time_point_cast<WallTime::duration>(
        WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(
                     std::chrono::system_clock::now().time_since_epoch()) +
                 *options.ttl));
  }
  return Write(global, options, [&](std::string context, wire::ClientRequest* request) {
    request->action = wire::PutAction{
        .value = std::move(*value), .context = std::move(context), .expires_at = expires_at};
  });
}

ExitCode Delete(const GlobalOptions& global, const WriteOptions& options) {
  return Write(global, options, [&](std::string context, wire::ClientRequest* request) {
    request->action = wire::DeleteAction{.context = std::move(context)};
  });
}

ExitCode ShowJson(const Output& output, const GetOptions& options, const wire::ClientReply& reply) {
  Json object;
  SetKey(options, &object);
  if (!options.all) SetBytes("value", reply.siblings.front().value, &object);
  Json siblings = Json::array();
  for (const wire::ShownSibling& sibling : reply.siblings) {
    siblings.push_back(SiblingObject(sibling));
  }
  object["siblings"] = std::move(siblings);
  SetReply(reply, &object);
  output.Json(object);
  return ExitCode::kOk;
}

void ShowSiblings(const Output& output, const wire::ClientReply& reply) {
  output.Line(fmt::format("{} sibling{}, {} of {} replicas answered", reply.siblings.size(),
                          reply.siblings.size() == 1 ? "" : "s", reply.answered, reply.needed));
  for (const wire::ShownSibling& sibling : reply.siblings) {
    std::string line = fmt::format("\ndot {}  time {}  {} bytes", DotText(sibling.dot),
                                   FormatWallTime(sibling.timestamp.wall()), sibling.value.size());
    if (sibling.expires_at != lattice::Sibling::kNever) {
      line += "  expires " + FormatWallTime(sibling.expires_at);
    }
    output.Line(line);
    output.Line(sibling.value);
  }
}

ExitCode Get(const GlobalOptions& global, const GetOptions& options) {
  const Output& output = global.output;
  auto client = OpenClient(global, Routing::kGivenNodes);
  if (!client) return output.Fail(client.error());
  wire::ClientRequest request = RequestOf(global, options);
  request.action = wire::GetAction{.all_siblings = options.all};
  const wire::ClientReply reply = (*client)->Execute(std::move(request));
  if (reply.error) return output.Fail(*reply.error);
  const std::string context = wire::ContextTokenToText(reply.context);

  if (reply.siblings.empty()) {
    // The context of a deleted key is worth having: a write with it comes after the delete.
    if (options.show_context && !output.json()) output.Aside("context " + context);
    return output.Fail(ExitCode::kNotFound, "not-found",
                       fmt::format("nothing is stored under {} in bucket {}", Quoted(options.key),
                                   Quoted(options.bucket)));
  }
  if (reply.siblings.size() > 1 && !options.all) {
    return output.Fail(
        ExitCode::kSiblings, "siblings",
        fmt::format("{} has {} siblings, written concurrently\nSee them with --all; settle them "
                    "with a put, which replaces what is there",
                    Quoted(options.key), reply.siblings.size()));
  }
  if (output.json()) return ShowJson(output, options, reply);
  if (options.all) {
    ShowSiblings(output, reply);
  } else {
    output.Value(reply.siblings.front().value);
  }
  // Beside the value, which goes to standard output as it is.
  if (options.show_context) output.Aside("context " + context);
  return ExitCode::kOk;
}

}  // namespace

void AddKeyCommands(CLI::App* app, Commands* commands) {
  CLI::App* put = app->add_subcommand("put", "Store a value, replacing what is there");
  const auto put_options = std::make_shared<PutOptions>();
  AddKeyOptions(put, put_options.get());
  put->add_option("VALUE", put_options->value, "The value; - or none: from standard input")
      ->option_text(" ");
  AddWriteOptions(put, put_options.get());
  put->add_option("--file", put_options->file, "Take the value from a file")->option_text("FILE");
  AddDurationOption(put, "--ttl", "Let the value expire after this long, such as 90s or 7d",
                    [put_options](std::chrono::milliseconds ttl) { put_options->ttl = ttl; });
  (*commands)[put] = [put_options](const GlobalOptions& global) {
    return Put(global, *put_options);
  };

  CLI::App* get = app->add_subcommand("get", "Print the value under a key");
  const auto get_options = std::make_shared<GetOptions>();
  AddKeyOptions(get, get_options.get());
  AddReadOptions(get, get_options.get());
  get->add_flag("--all", get_options->all, "Show all siblings, with their dots and times");
  (*commands)[get] = [get_options](const GlobalOptions& global) {
    return Get(global, *get_options);
  };

  CLI::App* del = app->add_subcommand("del", "Delete what is stored under a key");
  const auto del_options = std::make_shared<WriteOptions>();
  AddKeyOptions(del, del_options.get());
  AddWriteOptions(del, del_options.get());
  (*commands)[del] = [del_options](const GlobalOptions& global) {
    return Delete(global, *del_options);
  };
}

}  // namespace eddy::tools
