// The example quantizes an array, to floats and to codes, and prints the results.
//
//	example [--server HOST:PORT] [--num-bits N] [--root-certificates FILE] [--private-key FILE]
//	        [--certificate-chain FILE] [--server-name NAME] [--token-file FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	"quantd"
	quantdv1 "quantd/v1"
)

func main() {
	server := flag.String("server", "localhost:50051", "`HOST:PORT` of quantd, or unix:PATH")
	numBits := uint32(4)
	flag.Func("num-bits", "`number` of bits per code, from 2 to 16; 0 means 8 (default 4)", func(text string) error {
		parsed, err := strconv.ParseUint(text, 10, 32)
		numBits = uint32(parsed)
		return err
	})
	var options quantd.Options
	flag.Func("root-certificates", "`file` with the certificates to trust, in PEM format", contents(&options.RootCertificates))
	flag.Func("private-key", "`file` with the client's own key", contents(&options.PrivateKey))
	flag.Func("certificate-chain", "`file` with the certificate of the client", contents(&options.CertificateChain))
	flag.StringVar(&options.ServerName, "server-name", "", "`name` in the server's certificate")
	flag.Func("token-file", "`file` with the token to send", func(file string) error {
		token, err := os.ReadFile(file)
		options.Token = string(token)
		return err
	})
	flag.Parse()
	if err := run(*server, options, numBits); err != nil {
		fmt.Fprintln(os.Stderr, err)
		var failed *quantd.Error
		if errors.As(err, &failed) {
			fmt.Fprintf(os.Stderr, "reason: %s\nfield: %s\n", orNone(failed.Reason), orNone(failed.Field))
		}
		os.Exit(1)
	}
}

// contents returns a function that reads a file into target.
func contents(target *[]byte) func(string) error {
	return func(file string) error {
		read, err := os.ReadFile(file)
		*target = read
		return err
	}
}

func run(server string, options quantd.Options, numBits uint32) error {
	connection, err := quantd.Dial(server, options)
	if err != nil {
		return err
	}
	defer connection.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	elements := []float32{-2, -1, -0.3, 0, 0.26, 0.5, 1, 7}
	input := quantd.Tensor{Shape: []int64{int64(len(elements))}, Elements: elements}
	client := quantd.NewClient(connection)
	quantization := quantd.Quantization{Min: []float32{-1}, Max: []float32{1}, NumBits: numBits}
	result, err := client.FakeQuantize(ctx, input, quantization)
	if err != nil {
		return err
	}
	codes, err := client.Quantize(ctx, input, quantization, quantdv1.DataType_DATA_TYPE_UINT8)
	if err != nil {
		return err
	}
	values, err := client.Dequantize(ctx, *codes, quantization)
	if err != nil {
		return err
	}

	printRow("input", input.Elements...)
	printRow("output", result.Output.Elements...)
	printRow("range", result.NudgedRange.GetMin()[0], result.NudgedRange.GetMax()[0])
	printRow("scale", result.NudgedRange.GetScale()...)
	fmt.Printf("%-6s", "codes")
	for _, code := range codes.Data {
		fmt.Printf("%9d", code)
	}
	fmt.Println()
	printRow("values", values.Elements...)
	return nil
}

func printRow(name string, numbers ...float32) {
	fmt.Printf("%-6s", name)
	for _, number := range numbers {
		fmt.Printf("%9.4f", number)
	}
	fmt.Println()
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
