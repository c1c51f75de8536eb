// crit-go: go-criu's crit package behind the words that the benchmark needs.
//
//	crit-go decode|encode|info < IN > OUT       IN must be a file
//	crit-go ps|fds|mems|rss DIR
//	crit-go search DIR PID TEXT                 how often TEXT stands in the memory of a process
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"GO_CRIU/crit"
	"GO_CRIU/crit/cli"
)

func decode(c crit.Critter) (any, error) {
	entryType, err := cli.GetEntryTypeFromImg(os.Stdin)
	if err != nil {
		return nil, err
	}
	return c.Decode(entryType)
}

func encode(c crit.Critter) error {
	entryType, err := cli.GetEntryTypeFromJSON(os.Stdin)
	if err != nil {
		return err
	}
	img, err := c.Parse(entryType)
	if err != nil {
		return err
	}
	return c.Encode(img)
}

func search(dir, pid, text string) (any, error) {
	number, err := strconv.ParseUint(pid, 10, 32)
	if err != nil {
		return nil, err
	}
	reader, err := crit.NewMemoryReader(dir, uint32(number), 4096)
	if err != nil {
		return nil, err
	}
	matches, err := reader.SearchPattern(text, true, 0, 0)
	return map[string]int{"matches": len(matches)}, err
}

func run(args []string) (any, error) {
	dir := ""
	if len(args) > 1 {
		dir = args[1]
	}
	c := crit.New(os.Stdin, os.Stdout, dir, false, false)
	switch args[0] {
	case "decode":
		return decode(c)
	case "encode":
		return nil, encode(c)
	case "info":
		return c.Info()
	case "ps":
		return c.ExplorePs()
	case "fds":
		return c.ExploreFds()
	case "mems":
		return c.ExploreMems()
	case "rss":
		return c.ExploreRss()
	case "search":
		return search(args[1], args[2], args[3])
	}
	return nil, fmt.Errorf("no such word: %s", args[0])
}

func main() {
	answer, err := run(os.Args[1:])
	if err == nil && answer != nil {
		var text []byte
		if text, err = json.Marshal(answer); err == nil {
			_, err = os.Stdout.Write(append(text, '\n'))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crit-go:", err)
		os.Exit(1)
	}
}
