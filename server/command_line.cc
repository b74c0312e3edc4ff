#include "server/command_line.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/nearest.h"
#include "server/config_show.h"
#include "server/machine_memory.h"
#include "server/version.h"

namespace eddy::server {

namespace {

constexpr std::string_view kFooter =
    R"(Flags go over environment variables, and those over the configuration file. Each key of the
file has a variable: EDDY_, its section and its name in capitals, such as EDDY_STORAGE_DURABILITY;
the file's name may be in EDDY_CONFIG. Without seeds the node is a cluster of one.

Exit codes:
  0  stopped cleanly (or --help, --version, a good --check-config)
  1  stopped by an error, or before everything was on disk
  2  wrong command line, environment or configuration file
  3  a door could not be opened: its port is in use, or its address is not this machine's
  4  the data directory cannot be used: another cluster's or node's, a newer format, in use
)";

// What was given; nothing where a flag was left out.
struct Flags {
  std::optional<std::string> config_file, name, host, listen, zone, data_dir, cluster, seeds,
      durability, memory_limit, engine, pid_file, log_format, replaces;
  std::optional<uint16_t> native, peer, resp, http;
  bool check = false;
  bool describe = false;
  bool fault_injection = false;
};

void Define(CLI::App* app, Flags* flags) {
  app->add_option("--config", flags->config_file, "Configuration file (TOML)");
  app->add_option("--name", flags->name, "This node's name, no other member's");
  app->add_option("--host", flags->host, "Where others reach this node (default: the seed's host)");
  app->add_option("--listen", flags->listen,
                  "The address at which doors are opened, such as 0.0.0.0 (default: the host)");
  app->add_option("--zone", flags->zone, "What it fails together with (seeds name their own)");
  app->add_option("--data-dir", flags->data_dir, "Where the data is (default: eddy-data)");
  app->add_option("--cluster", flags->cluster, "The cluster's name (default: eddy)");
  app->add_option("--seeds", flags->seeds,
                  "Where to find other nodes: n1@127.0.0.1:7401/z1,n2@... (peer port; /zone "
                  "optional); the first founds a new cluster");
  app->add_option("--replace", flags->replaces,
                  "Come in place of this member, which is lost for ever");
  app->add_option("--native-port", flags->native, "Native door (default: 7400; 0: closed)");
  app->add_option("--peer-port", flags->peer, "Peer door (default: the seed's port, or 7401)");
  app->add_option("--resp-port", flags->resp, "Redis protocol door (default: 7379; 0: closed)");
  app->add_option("--http-port", flags->http, "HTTP door (default: 7480; 0: closed)");
  app->add_option("--engine", flags->engine, "rocksdb (default) or memory (for tests)");
  app->add_option("--durability", flags->durability,
                  "When a write is acknowledged: sync (default), os, memory");
  app->add_option("--memory-limit", flags->memory_limit,
                  "Memory of the whole process, such as 1GiB (default: a quarter of the "
                  "machine's or its control group's, and 256MiB at least)");
  app->add_option("--pid-file", flags->pid_file, "Where to write the process id");
  app->add_option("--log-format", flags->log_format, "auto (default), text or json");
  app->add_flag("--enable-fault-injection", flags->fault_injection,
                "Let eddyctl chaos cut and slow this node's network: for test clusters only");
  app->add_flag("--check-config", flags->check, "Check flags and file, and exit");
  app->add_flag("--describe-config", flags->describe, "List every setting as JSON, and exit");
  app->set_version_flag("--version", std::string(kSoftware));
  app->footer(std::string(kFooter));
}

template <class T, class U>
void Override(const std::optional<T>& given, U* target) {
  if (given) *target = *given;
}

void Apply(const Flags& flags, Config* config, std::vector<ConfigError>* errors) {
  Override(flags.name, &config->name);
  Override(flags.host, &config->host);
  Override(flags.listen, &config->listen);
  Override(flags.zone, &config->zone);
  Override(flags.data_dir, &config->data_dir);
  Override(flags.cluster, &config->cluster);
  Override(flags.pid_file, &config->pid_file);
  Override(flags.replaces, &config->replaces);
  config->fault_injection = flags.fault_injection;
  Override(flags.native, &config->native);
  Override(flags.peer, &config->peer);
  Override(flags.resp, &config->resp);
  Override(flags.http, &config->http);
  if (flags.seeds) {
    if (auto seeds = ParseSeeds(*flags.seeds)) {
      config->seeds = *std::move(seeds);
    } else {
      errors->push_back({"--seeds", seeds.error().text});
    }
  }
  if (flags.durability) {
    if (const auto durability = DurabilityFromText(*flags.durability)) {
      config->durability = *durability;
    } else {
      errors->push_back({"--durability", fmt::format("expected sync, os or memory, found '{}'",
                                                     *flags.durability)});
    }
  }
  if (flags.memory_limit) {
    const auto bytes = BytesFromText(*flags.memory_limit);
    if (bytes) {
      config->memory_limit_bytes = *bytes;
    } else {
      errors->push_back({"--memory-limit", fmt::format("expected a size such as 256MiB, found '{}'",
                                                       *flags.memory_limit)});
    }
  }
  if (flags.engine) {
    if (*flags.engine == "rocksdb" || *flags.engine == "memory") {
      config->engine = *flags.engine == "memory" ? EngineKind::kMemory : EngineKind::kRocksDb;
    } else {
      errors->push_back(
          {"--engine", fmt::format("expected rocksdb or memory, found '{}'", *flags.engine)});
    }
  }
  if (flags.log_format) {
    if (*flags.log_format == "auto") {
      config->log_format = LogFormat::kAuto;
    } else if (*flags.log_format == "text") {
      config->log_format = LogFormat::kText;
    } else if (*flags.log_format == "json") {
      config->log_format = LogFormat::kJson;
    } else {
      errors->push_back({"--log-format", fmt::format("expected auto, text or json, found '{}'",
                                                     *flags.log_format)});
    }
  }
}

void ReadFile(const std::string& path, Config* config, std::vector<ConfigError>* errors) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) {
    errors->push_back({"", fmt::format("cannot read '{}': does it exist, and may this "
                                       "user read it?",
                                       path)});
    return;
  }
  for (ConfigError& error : ReadConfig(bytes.view(), path, config)) {
    errors->push_back(std::move(error));
  }
}

// The file that is to be read: --config's, or the environment's.
std::optional<std::string> FileOf(const Flags& flags, std::span<const std::string> environment) {
  if (flags.config_file) return flags.config_file;
  const std::string prefix = fmt::format("{}=", kConfigVariable);
  for (const std::string& variable : environment) {
    if (variable.starts_with(prefix) && variable != prefix) return variable.substr(prefix.size());
  }
  return std::nullopt;
}

// What CLI11 says of a wrong command line, with the nearest flag where it knows none.
std::string Explain(const CLI::App& app, const CLI::ParseError& error, int argc,
                    const char* const* argv) {
  std::string text = error.what();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) names.push_back(option->get_name());
    for (int i = 1; i < argc; ++i) {
      std::string_view given = argv[i];
      given = given.substr(0, given.find('='));
      if (given.starts_with("--") && std::ranges::find(names, given) == names.end()) {
        const auto nearest = Nearest(given, names);
        text = fmt::format("unknown flag '{}'", given);
        if (nearest) text += fmt::format("; did you mean '{}'?", *nearest);
        break;
      }
    }
  }
  return fmt::format("{}\nRun eddyd --help for the list of flags.\n", text);
}

}  // namespace

CommandLine ReadCommandLine(int argc, const char* const* argv,
                            std::span<const std::string> environment) {
  CommandLine line;
  Flags flags;
  CLI::App app("eddyd: one node of an Eddy cluster, a replicated key-value store", "eddyd");
  Define(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    line.exit = ExitCode::kOk;
    line.text =
        success.get_name() == "CallForVersion" ? fmt::format("{}\n", kSoftware) : app.help();
    return line;
  } catch (const CLI::ParseError& error) {
    line.exit = ExitCode::kConfig;
    line.text = Explain(app, error, argc, argv);
    return line;
  }

  if (flags.describe) {
    line.exit = ExitCode::kOk;
    line.text = DescribeConfig().dump(2) + "\n";
    return line;
  }
  std::vector<ConfigError> errors;
  if (const auto path = FileOf(flags, environment)) ReadFile(*path, &line.config, &errors);
  for (ConfigError& error : ReadEnvironment(environment, &line.config)) {
    errors.push_back(std::move(error));
  }
  Apply(flags, &line.config, &errors);
  if (errors.empty()) errors = CompleteConfig(&line.config, MachineMemoryBytes());
  line.check_only = flags.check;
  if (!errors.empty()) {
    line.exit = ExitCode::kConfig;
    line.text = FormatErrors(errors);
  } else if (line.check_only) {
    line.exit = ExitCode::kOk;
    line.text = "the configuration is good\n";
  }
  return line;
}

}  // namespace eddy::server
