// What the shared library shows: what public headers declare. Each keeps that between "visibility push(default)" and
// "pop"; all else is compiled to be hidden. The mark is for what a public class keeps inside.
#pragma once

#define CRITPIPE_INNER [[gnu::visibility("hidden")]]
