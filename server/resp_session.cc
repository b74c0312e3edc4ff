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
    outlet_->Hold(pipeline_.memory_bytes());
    return taken;
  }

  bool paused() const override { return !pipeline_.HasRoom(); }
  bool awaiting() const override { return pipeline_.Awaits(); }
  void Rest() override {
    pipeline_.Rest();
    outlet_->Hold(pipeline_.memory_bytes());
  }

 private:
  void Run(std::span<const std::string_view> words) {
    client_.active_at = front_->now().monotonic;
    clients_->CountCommand();
    if (transaction_refused_ && !LeavesTransaction(words)) return;
    const RespCommand* command = FindRespCommand(words);
    if (command == nullptr) return RunUnknown(words);
    client_.last_command = command->name;
    const RespCall call{*command, words, *front_, pipeline_, client_, *clients_, options_};
    if (!command->TakesArguments(words.size())) return call.WrongArity();
    command->handler(call);
  }

  // Clients send a whole transaction at once, so the commands behind a MULTI that was refused are
  // refused with it: half a transaction would be worse than none. Whether the command that ends it
  // is still to be run.
  bool LeavesTransaction(std::span<const std::string_view> words) {
    const bool is_exec = RespWordIs(words[0], "EXEC");
    const bool is_discard = RespWordIs(words[0], "DISCARD");
    const bool starts_anew = RespWordIs(words[0], "RESET") || RespWordIs(words[0], "QUIT");
    if (is_exec) {
      pipeline_.Answer().Error("EXECABORT nothing of the transaction was done: MULTI was refused");
    } else if (is_discard) {
      pipeline_.Answer().Simple("OK");
    } else if (!starts_anew) {
      pipeline_.Answer().Error(
          "ERR not done: it belongs to a transaction, and MULTI was refused; EXEC or DISCARD ends "
          "it");
      return false;
    }
    transaction_refused_ = false;
    return starts_anew;
  }

  void RunUnknown(std::span<const std::string_view> words) {
    if (IsHttp(words[0])) {
      return End("ERR this door speaks RESP, not HTTP; HTTP has a port of its own");
    }
    transaction_refused_ = RespWordIs(words[0], "MULTI");
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
  bool transaction_refused_ = false;  // until EXEC or DISCARD
};

}  // namespace

std::unique_ptr<Session> MakeRespSession(Front* front, Outlet* outlet, RespOptions options) {
  return std::make_unique<RespSession>(front, outlet, std::move(options));
}

}  // namespace eddy::server
