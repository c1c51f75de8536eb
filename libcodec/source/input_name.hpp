// How inputs are called: in keys, and before the paths of their members.
#pragma once

#include <string>
#include <vector>

namespace critpipe {

struct InputName {
  std::string input;          // as the user named it, without a slash at its end
  std::string brief = {};     // its last part, with as many directories before it as tell it from other inputs
  std::string repeated = {};  // "#2" where it was given before under the same name; else empty
  std::string met = {};       // "#2" where it was given before under any name; else empty

  std::string checkpoint() const { return input + repeated; }  // where it holds sets
  std::string prefix() const { return brief + met; }
  // Where it is one image.
  std::string directory() const;
  std::string path() const;
};

std::vector<InputName> name_inputs(const std::vector<std::string>& inputs);

}  // namespace critpipe
