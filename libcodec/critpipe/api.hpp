// What the shared library shows. A public header opens its namespace with this mark, so that what it declares is seen;
// everything else is compiled to be hidden (libcodec/install/critpipe.map).
#pragma once

#define CRITPIPE_API [[gnu::visibility("default")]]
