// Owner, mode and attributes of a file that takes another's place. Internal.
#pragma once

namespace critpipe {

// Gives a new file the owner, the mode, the access list and the label of another, and what users attached to that; but
// nothing that makes it a program which runs as somebody else. False: not all of them; who does not become its owner
// does not get its mode either.
bool keep_identity(int from, int to);

}  // namespace critpipe
