// The handlers that the command table names, by the file that defines them.
#pragma once

namespace eddy::server {

struct RespCall;

// resp_strings.cc
void RespRunAppend(const RespCall& call);
void RespRunGet(const RespCall& call);
void RespRunGetDel(const RespCall& call);
void RespRunGetEx(const RespCall& call);
void RespRunGetSet(const RespCall& call);
void RespRunMGet(const RespCall& call);
void RespRunMSet(const RespCall& call);
void RespRunSet(const RespCall& call);
void RespRunSetEx(const RespCall& call);  // PSETEX too
void RespRunSetNx(const RespCall& call);
void RespRunStrLen(const RespCall& call);

// resp_keys.cc
void RespRunDel(const RespCall& call);     // UNLINK too
void RespRunExists(const RespCall& call);  // TOUCH too
void RespRunExpire(const RespCall& call);
void RespRunExpireAt(const RespCall& call);
void RespRunExpireTime(const RespCall& call);
void RespRunPExpire(const RespCall& call);
void RespRunPExpireAt(const RespCall& call);
void RespRunPExpireTime(const RespCall& call);
void RespRunPTtl(const RespCall& call);
void RespRunPersist(const RespCall& call);
void RespRunTtl(const RespCall& call);
void RespRunType(const RespCall& call);

// resp_eddy.cc
void RespRunEddyDel(const RespCall& call);
void RespRunEddyGet(const RespCall& call);
void RespRunEddyPut(const RespCall& call);

// resp_connection.cc
void RespRunClientGetName(const RespCall& call);
void RespRunClientId(const RespCall& call);
void RespRunClientInfo(const RespCall& call);
void RespRunClientKill(const RespCall& call);
void RespRunClientList(const RespCall& call);
void RespRunClientNoEvict(const RespCall& call);
void RespRunClientNoTouch(const RespCall& call);
void RespRunClientSetInfo(const RespCall& call);
void RespRunClientSetName(const RespCall& call);
void RespRunEcho(const RespCall& call);
void RespRunHello(const RespCall& call);
void RespRunOk(const RespCall& call);
void RespRunPing(const RespCall& call);
void RespRunQuit(const RespCall& call);
void RespRunReset(const RespCall& call);
void RespRunSelect(const RespCall& call);

// resp_info.cc
void RespRunConfigGet(const RespCall& call);
void RespRunDbSize(const RespCall& call);
void RespRunInfo(const RespCall& call);
void RespRunTime(const RespCall& call);
void RespRunWait(const RespCall& call);

// resp_introspection.cc
void RespRunCommand(const RespCall& call);
void RespRunCommandCount(const RespCall& call);
void RespRunCommandDocs(const RespCall& call);
void RespRunCommandGetKeys(const RespCall& call);
void RespRunCommandInfo(const RespCall& call);
void RespRunCommandList(const RespCall& call);

// resp_cluster.cc
void RespRunClusterInfo(const RespCall& call);
void RespRunClusterKeySlot(const RespCall& call);
void RespRunClusterMyId(const RespCall& call);
void RespRunClusterNodes(const RespCall& call);
void RespRunClusterShards(const RespCall& call);
void RespRunClusterSlots(const RespCall& call);

}  // namespace eddy::server
