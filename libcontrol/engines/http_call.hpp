// One HTTP request over a unix socket. libcurl is loaded when the first one is made.
#pragma once

#include <map>
#include <string>

#include "critpipe/error.hpp"

namespace critpipe {

struct HttpRequest {
  std::string socket, method = "GET", path = {};
  std::string body = {};  // JSON
  int input_fd = -1;      // the body, up to its end, in place of JSON
  int timeout = 20;       // seconds; 0: none
  int stop_fd = -1;       // readable: give up
  int output_fd = -1;     // gets the body of an answer that says 200
};

struct HttpAnswer {
  Error error = {};  // reasons: usage. None: there is an answer, whatever its status
  long status = 0;
  std::string body = {};
  std::map<std::string, std::string> headers = {};  // names in lower case

  // The error that a status above 299 stands for, with the message in its body.
  Error refusal(const std::string& who) const;
};

HttpAnswer http_call(const HttpRequest& request);
HttpAnswer http_get(const std::string& socket, const std::string& path);

// One part of a path: what is not a letter, digit or one of -_.~ is escaped.
std::string http_escaped(std::string_view text);

}  // namespace critpipe
