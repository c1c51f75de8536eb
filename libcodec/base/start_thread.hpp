// Threads that are of use and not needed.
#pragma once

#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace critpipe {

// False: the system starts no more of them, or has no memory for one; those that run do the work.
template <typename Work>
bool start_thread(std::vector<std::thread>& threads, Work work) {
  try {
    threads.emplace_back(std::move(work));
    return true;
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
  return false;
}

}  // namespace critpipe
