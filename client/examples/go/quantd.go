// Package quantd is a client of quantd: TensorFlow's fake quantization of slices.
package quantd

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/grpc"

	quantdv1 "quantd/v1"
)

// A Client asks a server. It may be used by several goroutines at once.
type Client struct {
	service quantdv1.QuantizationServiceClient
}

// NewClient returns a Client that uses the connection, which stays the caller's to close.
func NewClient(connection grpc.ClientConnInterface) *Client {
	return &Client{service: quantdv1.NewQuantizationServiceClient(connection)}
}

// A Tensor is an n-dimensional array of float32.
type Tensor struct {
	// The size of each dimension, outermost first. An empty Shape is a scalar.
	Shape []int64
	// The elements in C order, as many as the product of Shape.
	Elements []float32
}

// A Quantization says how to quantize. The zero value of all but Min and Max is a good default.
type Quantization struct {
	// The range: one value each, or with an Axis one for each channel.
	Min, Max []float32
	// The dimension of the channels, -rank..rank-1; nil: the whole tensor has one range.
	Axis *int32
	// 2..16; 0 stands for 8.
	NumBits uint32
	// Whether the lowest code is 1 instead of 0; TensorFlow's narrow_range.
	NarrowRange bool
	// Whose last bit to reproduce: quantization.proto tells the difference.
	Numerics quantdv1.Numerics
}

// A Result is a fake-quantized tensor.
type Result struct {
	// Of the input's shape.
	Output Tensor
	// The range that was really used, so that zero is exactly a code.
	NudgedRange *quantdv1.NudgedRange
}

// A Gradient is the gradient of a loss with respect to FakeQuantize's arguments.
type Gradient struct {
	// Of the inputs' shape.
	Inputs Tensor
	// One value for each channel.
	Min, Max []float32
	// The range that was really used, so that zero is exactly a code.
	NudgedRange *quantdv1.NudgedRange
}

// Clients by default refuse answers over 4 MiB.
var unlimited = grpc.MaxCallRecvMsgSize(math.MaxInt32)

// FakeQuantize rounds every element of input to the nearest value that a code stands for. NaN gives
// NaN, an infinity the end of the range. A failed call's error is an *Error.
//
// The deadline is that of ctx: give it one, or a call whose server hangs never ends.
func (c *Client) FakeQuantize(ctx context.Context, input Tensor, q Quantization) (*Result, error) {
	response, err := c.service.FakeQuantize(ctx, &quantdv1.FakeQuantizeRequest{
		Input: messageOf(input),
		Range: q.rangeMessage(),
		Spec:  q.specMessage(),
	}, unlimited)
	if err != nil {
		return nil, errorOf(err)
	}
	output, err := tensorOf(response.GetOutput())
	if err != nil {
		return nil, err
	}
	return &Result{Output: output, NudgedRange: response.GetNudgedRange()}, nil
}

// FakeQuantizeGradient returns the gradient of FakeQuantize with respect to its input, Min and Max.
// Gradients are those of the loss with respect to FakeQuantize's output, of the shape of inputs;
// inputs and q are what FakeQuantize was given. Errors and deadline are as in FakeQuantize.
func (c *Client) FakeQuantizeGradient(ctx context.Context, gradients, inputs Tensor, q Quantization) (*Gradient, error) {
	response, err := c.service.FakeQuantizeGradient(ctx, &quantdv1.FakeQuantizeGradientRequest{
		Gradients: messageOf(gradients),
		Inputs:    messageOf(inputs),
		Range:     q.rangeMessage(),
		Spec:      q.specMessage(),
	}, unlimited)
	if err != nil {
		return nil, errorOf(err)
	}
	inputGradients, err := tensorOf(response.GetInputGradients())
	if err != nil {
		return nil, err
	}
	return &Gradient{
		Inputs:      inputGradients,
		Min:         response.GetMinGradient(),
		Max:         response.GetMaxGradient(),
		NudgedRange: response.GetNudgedRange(),
	}, nil
}

func (q Quantization) rangeMessage() *quantdv1.Range {
	return &quantdv1.Range{Min: q.Min, Max: q.Max, Axis: q.Axis}
}

func (q Quantization) specMessage() *quantdv1.QuantizationSpec {
	spec := &quantdv1.QuantizationSpec{NarrowRange: q.NarrowRange, Numerics: q.Numerics}
	if q.NumBits != 0 {
		spec.NumBits = &q.NumBits
	}
	return spec
}

const bytesPerElement = 4

// The order of bytes is said here, so that this holds on every machine. Where it is the machine's
// own, the compiler makes one load and one store of each element.
func messageOf(tensor Tensor) *quantdv1.Tensor {
	data := make([]byte, bytesPerElement*len(tensor.Elements))
	for i, element := range tensor.Elements {
		binary.LittleEndian.PutUint32(data[bytesPerElement*i:], math.Float32bits(element))
	}
	return &quantdv1.Tensor{
		DataType: quantdv1.DataType_DATA_TYPE_FLOAT32,
		Shape:    tensor.Shape,
		Storage:  &quantdv1.Tensor_Data{Data: data},
	}
}

func tensorOf(message *quantdv1.Tensor) (Tensor, error) {
	data := message.GetData()
	if message.GetDataType() != quantdv1.DataType_DATA_TYPE_FLOAT32 || len(data)%bytesPerElement != 0 {
		return Tensor{}, fmt.Errorf("quantd: the answer has %d bytes of %v; expected whole elements of DATA_TYPE_FLOAT32",
			len(data), message.GetDataType())
	}
	elements := make([]float32, len(data)/bytesPerElement)
	for i := range elements {
		elements[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[bytesPerElement*i:]))
	}
	return Tensor{Shape: message.GetShape(), Elements: elements}, nil
}
