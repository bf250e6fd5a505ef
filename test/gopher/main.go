// A Redis whose scripts run on gopher-lua, as those of a service written in Go may: whatever else it is asked, and whatever its
// scripts call, goes to a real Redis behind it.
//
// Usage: gopher-redis <address to listen at> <address of the Redis>
package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// One command at a time, whoever sends it: that is what makes a script atomic.
var turn sync.Mutex

// Of scripts by their digest.
var known = map[string]*lua.FunctionProto{}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go serve(client)
	}
}

// Each client has a connection of its own to the Redis.
func serve(client net.Conn) {
	defer client.Close()
	behind, err := net.Dial("tcp", os.Args[2])
	if err != nil {
		return
	}
	defer behind.Close()
	from, redis := bufio.NewReader(client), &connection{bufio.NewReader(behind), behind}
	for {
		command, err := readReply(from)
		if err != nil {
			return
		}
		words := []string{}
		for _, word := range command.list {
			words = append(words, word.text)
		}
		if len(words) == 0 {
			words = strings.Fields(command.text) // an inline command
		}
		turn.Lock()
		answer := answerTo(redis, words)
		turn.Unlock()
		if _, err := client.Write(answer.bytes(nil)); err != nil {
			return
		}
	}
}

func answerTo(redis *connection, words []string) reply {
	switch strings.ToUpper(words[0]) {
	case "EVAL":
		redis.call([]string{"ECHO", ""}) // it counts as a command of its own
		script, err := compiled(words[1])
		if err != nil {
			return failure("ERR Error compiling script: " + err.Error())
		}
		return run(redis, script, words)
	case "EVALSHA":
		redis.call([]string{"ECHO", ""})
		script, found := known[strings.ToLower(words[1])]
		if !found {
			return failure("NOSCRIPT No matching script. Please use EVAL.")
		}
		return run(redis, script, words)
	case "SCRIPT":
		return scriptCommand(words)
	}
	return redis.call(words)
}

func scriptCommand(words []string) reply {
	switch strings.ToUpper(words[1]) {
	case "FLUSH":
		known = map[string]*lua.FunctionProto{}
		return reply{kind: '+', text: "OK"}
	case "LOAD":
		if _, err := compiled(words[2]); err != nil {
			return failure("ERR Error compiling script: " + err.Error())
		}
		return reply{kind: '$', text: digestOf(words[2])}
	}
	return failure("ERR unknown subcommand")
}

func digestOf(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

func compiled(source string) (*lua.FunctionProto, error) {
	digest := digestOf(source)
	if script, found := known[digest]; found {
		return script, nil
	}
	chunk, err := parse.Parse(strings.NewReader(source), "user_script")
	if err != nil {
		return nil, err
	}
	script, err := lua.Compile(chunk, "user_script")
	if err == nil {
		known[digest] = script
	}
	return script, err
}

func run(redis *connection, script *lua.FunctionProto, words []string) reply {
	state := lua.NewState(lua.Options{SkipOpenLibs: false})
	defer state.Close()
	count, _ := strconv.Atoi(words[2])
	state.SetGlobal("KEYS", listOf(state, words[3:3+count]))
	state.SetGlobal("ARGV", listOf(state, words[3+count:]))
	state.SetGlobal("redis", library(state, redis))
	state.Push(&lua.LFunction{Env: state.Env, Proto: script})
	if err := state.PCall(0, 1, nil); err != nil {
		return failure(messageOf(err))
	}
	return fromLua(state.Get(-1))
}

// What a command said goes on as it is, with its code.
func messageOf(err error) string {
	if failed, ok := err.(*lua.ApiError); ok {
		if table, ok := failed.Object.(*lua.LTable); ok {
			return table.RawGetString("err").String()
		}
		return "ERR " + failed.Object.String()
	}
	return "ERR " + err.Error()
}

func listOf(state *lua.LState, words []string) *lua.LTable {
	list := state.NewTable()
	for _, word := range words {
		list.Append(lua.LString(word))
	}
	return list
}

func library(state *lua.LState, redis *connection) *lua.LTable {
	calling := func(raises bool) lua.LGFunction {
		return func(state *lua.LState) int {
			words := []string{}
			for i := 1; i <= state.GetTop(); i++ {
				word, ok := wordOf(state.Get(i))
				if !ok {
					state.RaiseError("ERR Lua redis() command arguments must be strings or integers")
				}
				words = append(words, word)
			}
			answer := toLua(state, redis.call(words))
			if failed, ok := answer.(*lua.LTable); ok && raises && failed.RawGetString("err") != lua.LNil {
				state.Error(failed, 0)
			}
			state.Push(answer)
			return 1
		}
	}
	giving := func(field string) lua.LGFunction {
		return func(state *lua.LState) int {
			table := state.NewTable()
			table.RawSetString(field, lua.LString(state.CheckString(1)))
			state.Push(table)
			return 1
		}
	}
	return state.SetFuncs(state.NewTable(), map[string]lua.LGFunction{
		"call": calling(true), "pcall": calling(false), "error_reply": giving("err"), "status_reply": giving("ok"),
	})
}

func wordOf(value lua.LValue) (string, bool) {
	switch value := value.(type) {
	case lua.LString:
		return string(value), true
	case lua.LNumber:
		return strconv.FormatFloat(float64(value), 'g', 17, 64), true
	}
	return "", false
}

func toLua(state *lua.LState, answer reply) lua.LValue {
	switch {
	case answer.isNil:
		return lua.LFalse
	case answer.kind == ':':
		number, _ := strconv.ParseFloat(answer.text, 64)
		return lua.LNumber(number)
	case answer.kind == '+' || answer.kind == '-':
		table := state.NewTable()
		table.RawSetString(map[byte]string{'+': "ok", '-': "err"}[answer.kind], lua.LString(answer.text))
		return table
	case answer.kind == '*':
		list := state.NewTable()
		for _, item := range answer.list {
			list.Append(toLua(state, item))
		}
		return list
	}
	return lua.LString(answer.text)
}

func fromLua(value lua.LValue) reply {
	switch value := value.(type) {
	case lua.LNumber:
		return reply{kind: ':', text: strconv.FormatInt(int64(value), 10)}
	case lua.LString:
		return reply{kind: '$', text: string(value)}
	case lua.LBool:
		if value {
			return reply{kind: ':', text: "1"}
		}
	case *lua.LTable:
		if failed := value.RawGetString("err"); failed != lua.LNil {
			return failure(failed.String())
		}
		if ok := value.RawGetString("ok"); ok != lua.LNil {
			return reply{kind: '+', text: ok.String()}
		}
		list := []reply{}
		for i := 1; value.RawGetInt(i) != lua.LNil; i++ {
			list = append(list, fromLua(value.RawGetInt(i)))
		}
		return reply{kind: '*', list: list}
	}
	return reply{kind: '$', isNil: true}
}

// A reply of RESP 2, or a command, which is written as one.
type reply struct {
	kind  byte
	text  string
	list  []reply
	isNil bool
}

func failure(text string) reply { return reply{kind: '-', text: strings.ReplaceAll(text, "\n", " ")} }

func (answer reply) bytes(to []byte) []byte {
	switch {
	case answer.isNil:
		return append(to, string(answer.kind)+"-1\r\n"...)
	case answer.kind == '*':
		to = append(to, fmt.Sprintf("*%d\r\n", len(answer.list))...)
		for _, item := range answer.list {
			to = item.bytes(to)
		}
		return to
	case answer.kind == '$':
		return append(to, fmt.Sprintf("$%d\r\n%s\r\n", len(answer.text), answer.text)...)
	}
	return append(to, string(answer.kind)+answer.text+"\r\n"...)
}

type connection struct {
	from *bufio.Reader
	to   net.Conn
}

func (redis *connection) call(words []string) reply {
	command := reply{kind: '*'}
	for _, word := range words {
		command.list = append(command.list, reply{kind: '$', text: word})
	}
	if _, err := redis.to.Write(command.bytes(nil)); err != nil {
		return failure("ERR " + err.Error())
	}
	answer, err := readReply(redis.from)
	if err != nil {
		return failure("ERR " + err.Error())
	}
	return answer
}

func readReply(from *bufio.Reader) (reply, error) {
	line, err := from.ReadString('\n')
	if err != nil {
		return reply{}, err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return reply{}, nil
	}
	kind, rest := line[0], line[1:]
	if kind != '$' && kind != '*' {
		return reply{kind: kind, text: map[bool]string{true: rest, false: line}[strings.ContainsRune("+-:", rune(kind))]}, nil
	}
	count, err := strconv.Atoi(rest)
	if err != nil || count < 0 {
		return reply{kind: kind, isNil: true}, err
	}
	if kind == '*' {
		answer := reply{kind: kind}
		for i := 0; i < count; i++ {
			item, err := readReply(from)
			if err != nil {
				return reply{}, err
			}
			answer.list = append(answer.list, item)
		}
		return answer, nil
	}
	bytes := make([]byte, count+2)
	if _, err := io.ReadFull(from, bytes); err != nil {
		return reply{}, err
	}
	return reply{kind: kind, text: string(bytes[:count])}, nil
}
