// The golden driver makes the calls that client_examples.py has written, with the example's client,
// and writes the answers.
//
//	golden_driver SERVER FOLDER
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc/status"

	"quantd"
	quantdv1 "quantd/v1"
)

type call struct {
	Name        string
	Method      string
	Inputs      string
	Gradients   string
	Shape       []int64
	Min         []float32
	Max         []float32
	Scale       []float32
	ZeroPoint   []int32
	Axis        *int32
	BlockSize   uint32
	NumBits     uint32
	QuantMin    *int32
	QuantMax    *int32
	NarrowRange bool
	Numerics    string
	SignedInput bool
	Rounding    string
	CodeType    string
}

type connectionOptions struct {
	RootCertificates string
	PrivateKey       string
	CertificateChain string
	ServerName       string
	Token            string
}

type driver struct {
	client *quantd.Client
	folder string
}

func main() {
	log.SetFlags(0)
	server, folder := os.Args[1], os.Args[2]
	var given connectionOptions
	if err := readJSON(filepath.Join(folder, "connection.json"), &given); err != nil {
		log.Fatal(err)
	}
	connection, err := quantd.Dial(server, quantd.Options{
		RootCertificates: bytesOf(given.RootCertificates),
		PrivateKey:       bytesOf(given.PrivateKey),
		CertificateChain: bytesOf(given.CertificateChain),
		ServerName:       given.ServerName,
		Token:            given.Token,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	d := driver{client: quantd.NewClient(connection), folder: folder}

	var calls []call
	if err := readJSON(filepath.Join(folder, "calls.json"), &calls); err != nil {
		log.Fatal(err)
	}
	for _, c := range calls {
		if err := d.make(c); err != nil {
			log.Fatalf("%s: %v", c.Name, err)
		}
	}
}

func readJSON(file string, target interface{}) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, target)
}

// bytesOf returns nil for an empty text, which means that nothing was given.
func bytesOf(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

func (d driver) make(c call) error {
	answer, err := d.answer(c)
	var failed *quantd.Error
	if errors.As(err, &failed) {
		text, err := json.Marshal(map[string]interface{}{
			"code": status.Code(err), "message": failed.Message, "reason": failed.Reason, "field": failed.Field,
			"numbers": failed.Numbers,
		})
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(d.folder, c.Name+".error"), text, 0o644)
	}
	if err != nil {
		return err
	}
	for what, numbers := range answer {
		var contents bytes.Buffer
		if err := binary.Write(&contents, binary.LittleEndian, numbers); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(d.folder, c.Name+"."+what), contents.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// The server's answer: slices of numbers by name.
func (d driver) answer(c call) (map[string]interface{}, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	q := quantd.Quantization{
		Min:         c.Min,
		Max:         c.Max,
		Scale:       c.Scale,
		ZeroPoint:   c.ZeroPoint,
		Axis:        c.Axis,
		BlockSize:   c.BlockSize,
		NumBits:     c.NumBits,
		NarrowRange: c.NarrowRange,
		QuantMin:    c.QuantMin,
		QuantMax:    c.QuantMax,
		Numerics:    quantdv1.Numerics(quantdv1.Numerics_value[c.Numerics]),
		SignedInput: c.SignedInput,
		Rounding:    quantdv1.Rounding(quantdv1.Rounding_value[c.Rounding]),
	}
	codeType := quantdv1.DataType(quantdv1.DataType_value[c.CodeType])
	if c.Method == "Dequantize" {
		return d.dequantize(ctx, c, q, codeType)
	}
	inputs, err := d.read(c.Inputs, c.Shape)
	if err != nil {
		return nil, err
	}
	if c.Method == "FakeQuantize" {
		result, err := d.client.FakeQuantize(ctx, inputs, q)
		if err != nil {
			return nil, err
		}
		answer := numbersOf(result.NudgedRange)
		answer["output"] = result.Output.Elements
		return answer, sameShape(result.Output.Shape, c.Shape)
	}
	if c.Method == "Quantize" {
		codes, err := d.client.Quantize(ctx, inputs, q, codeType)
		if err != nil {
			return nil, err
		}
		answer := map[string]interface{}{
			"output":    codes.Data,
			"scale":     codes.Parameters.GetScale(),
			"zeroPoint": codes.Parameters.GetZeroPoint(),
		}
		return answer, sameShape(codes.Shape, c.Shape)
	}
	gradients, err := d.read(c.Gradients, c.Shape)
	if err != nil {
		return nil, err
	}
	gradient, err := d.client.FakeQuantizeGradient(ctx, gradients, inputs, q)
	if err != nil {
		return nil, err
	}
	answer := numbersOf(gradient.NudgedRange)
	answer["inputGradients"] = gradient.Inputs.Elements
	answer["minGradient"] = gradient.Min
	answer["maxGradient"] = gradient.Max
	return answer, sameShape(gradient.Inputs.Shape, c.Shape)
}

func (d driver) read(file string, shape []int64) (quantd.Tensor, error) {
	contents, err := os.ReadFile(filepath.Join(d.folder, file))
	if err != nil {
		return quantd.Tensor{}, err
	}
	elements := make([]float32, len(contents)/4)
	err = binary.Read(bytes.NewReader(contents), binary.LittleEndian, elements)
	return quantd.Tensor{Shape: shape, Elements: elements}, err
}

func (d driver) dequantize(ctx context.Context, c call, q quantd.Quantization, codeType quantdv1.DataType) (map[string]interface{}, error) {
	data, err := os.ReadFile(filepath.Join(d.folder, c.Inputs))
	if err != nil {
		return nil, err
	}
	values, err := d.client.Dequantize(ctx, quantd.Codes{Shape: c.Shape, Type: codeType, Data: data}, q)
	if err != nil {
		return nil, err
	}
	return map[string]interface{}{"output": values.Elements}, sameShape(values.Shape, c.Shape)
}

func sameShape(actual, expected []int64) error {
	if fmt.Sprint(actual) != fmt.Sprint(expected) {
		return fmt.Errorf("the answer has the shape %v instead of %v", actual, expected)
	}
	return nil
}

func numbersOf(nudgedRange *quantdv1.NudgedRange) map[string]interface{} {
	return map[string]interface{}{
		"min":       nudgedRange.GetMin(),
		"max":       nudgedRange.GetMax(),
		"scale":     nudgedRange.GetScale(),
		"zeroPoint": nudgedRange.GetZeroPoint(),
	}
}
