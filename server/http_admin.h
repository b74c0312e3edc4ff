// The admin calls on the HTTP door, /admin/v1/CALL: from an HTTP request to a call of wire/admin.h,
// and from its reply back to HTTP (docs/HTTP.md is what operators' tools are promised). Pure
// functions.
//
// GET is for what only looks, with its arguments behind the '?'. POST is for every call, with its
// arguments as a JSON object; it must say that it is one, since a web page that somebody looks at
// can have a browser send anything else here without being asked.
#pragma once

#include <expected>
#include <string_view>
#include <variant>

#include "server/http_message.h"
#include "wire/admin.h"
#include "wire/key_list.h"

namespace eddy::server {

bool IsAdminPath(std::string_view path);

// What is asked of the node; or the answer, where the door knows it.
using HttpAdminCall = std::variant<wire::AdminRequest, wire::KeyListRequest, HttpReply>;
// A refusal is an answer, too. Requires IsAdminPath.
HttpAdminCall ReadAdminCall(const HttpRequest& request);

HttpReply AdminHttpReply(const wire::AdminReply& reply);
HttpReply KeyListHttpReply(const wire::KeyListReply& reply);

}  // namespace eddy::server
