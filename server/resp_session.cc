#include "server/resp_session.h"

#include <optional>
#include <string_view>
#include <utility>

#include "server/resp_call.h"
#include "server/resp_command.h"

namespace eddy::server {

namespace {

// What a browser, or a script that was tricked, sends first to a door that it takes for HTTP.
// Lines like these come before a body which an attacker may have filled with commands.
bool IsHttp(std::string_view word) { return RespWordIs(word, "POST") || RespWordIs(word, "HOST:"); }

class RespSession final : public Session {
 public:
  RespSession(Front* front, Outlet* outlet, RespOptions options)
      : front_(front),
        outlet_(outlet),
        options_(std::move(options)),
        clients_(options_.clients == nullptr ? &alone_ : options_.clients),
        parser_(options_.parser),
        pipeline_(front, outlet, options_.pipeline) {
    client_.peer_address = options_.peer_address;
    client_.local_address = options_.local_address;
    client_.connected_at = client_.active_at = front->now().monotonic;
    client_.pipeline = &pipeline_;
    clients_->Add(&client_);
  }

  ~RespSession() override { clients_->Remove(client_); }

  size_t Consume(std::string_view input) override {
    size_t taken = 0;
    while (pipeline_.HasRoom()) {
      if (outlet_->out()->size() >= options_.output_bytes_max) {
        outlet_->Wake();
        break;
      }
      const auto size = parser_.Next(input.substr(taken));
      if (!size) {
        End("ERR " + size.error().text);
        break;
      }
      if (*size == 0) break;
      taken += *size;
      if (!parser_.arguments().empty()) Run(parser_.arguments());
    }
    return taken;
  }

  bool paused() const override { return !pipeline_.HasRoom(); }
  bool awaiting() const override { return pipeline_.Awaits(); }

 private:
  void Run(std::span<const std::string_view> words) {
    client_.active_at = front_->now().monotonic;
    clients_->CountCommand();
    const RespCommand* command = FindRespCommand(words);
    if (command == nullptr) return RunUnknown(words);
    client_.last_command = command->name;
    const RespCall call{*command, words, *front_, pipeline_, client_, *clients_, options_};
    if (!command->TakesArguments(words.size())) return call.WrongArity();
    command->handler(call);
  }

  void RunUnknown(std::span<const std::string_view> words) {
    if (IsHttp(words[0])) {
      return End("ERR this door speaks RESP, not HTTP; HTTP has a port of its own");
    }
    pipeline_.Answer().Error(RespUnknownCommandText(words));
  }

  void End(std::string_view error) {
    std::string last;
    RespWriter(&last, pipeline_.version()).Error(error);
    pipeline_.AnswerAndClose(std::move(last));
  }

  Front* const front_;
  Outlet* const outlet_;
  const RespOptions options_;
  RespClients alone_;
  RespClients* const clients_;
  RespClient client_;
  RespParser parser_;
  RespPipeline pipeline_;
};

}  // namespace

std::unique_ptr<Session> MakeRespSession(Front* front, Outlet* outlet, RespOptions options) {
  return std::make_unique<RespSession>(front, outlet, std::move(options));
}

}  // namespace eddy::server
