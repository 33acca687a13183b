// Package quantd is a client for quantd: TensorFlow's fake quantization for slices.
package quantd

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/grpc"

	quantdv1 "quantd/v1"
)

// A Client makes calls to a server. It may be used by several goroutines at once.
type Client struct {
	service quantdv1.QuantizationServiceClient
}

// NewClient returns a Client that uses connection. The caller has to close the connection.
func NewClient(connection grpc.ClientConnInterface) *Client {
	return &Client{service: quantdv1.NewQuantizationServiceClient(connection)}
}

// A Tensor is an n-dimensional array of float32.
type Tensor struct {
	// The size of each dimension; the outermost comes first. An empty Shape means a scalar.
	Shape []int64
	// The elements in C order. Their number is the product of Shape.
	Elements []float32
}

// A Quantization describes how to quantize. The zero value is a good default for all fields except
// Min and Max.
type Quantization struct {
	// The range: one value each or, with an Axis, one value per channel.
	Min, Max []float32
	// The dimension of the channels, -rank..rank-1; nil means one range for the whole tensor.
	Axis *int32
	// From 2 to 16; 0 means 8.
	NumBits uint32
	// Whether the lowest code is 1 instead of 0, like TensorFlow's narrow_range.
	NarrowRange bool
	// The op whose last bit to reproduce; quantization.proto explains the difference.
	Numerics quantdv1.Numerics
}

// A Result is a fake-quantized tensor.
type Result struct {
	// In the input's shape.
	Output Tensor
	// The range that was actually used, nudged so that a code represents exactly zero.
	NudgedRange *quantdv1.NudgedRange
}

// A Gradient is the gradient of a loss with respect to FakeQuantize's arguments.
type Gradient struct {
	// In the inputs' shape.
	Inputs Tensor
	// One value per channel.
	Min, Max []float32
	// The range that was actually used, nudged so that a code represents exactly zero.
	NudgedRange *quantdv1.NudgedRange
}

// By default, gRPC clients reject answers over 4 MiB.
var unlimited = grpc.MaxCallRecvMsgSize(math.MaxInt32)

// FakeQuantize rounds every element of input to the nearest value that a code represents. NaN results
// in NaN, and an infinity in the nearest end of the range. If the call fails, the error is an *Error.
//
// Give ctx a deadline. Without one, a call to a server that hangs never ends.
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
// gradients is the gradient of the loss with respect to FakeQuantize's output, in the shape of inputs.
// inputs and q are the arguments of FakeQuantize. Errors and deadlines are the same as for FakeQuantize.
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

// messageOf writes the bytes of each element in an explicit order, so that it works on every machine.
// On a little-endian machine, the compiler emits one load and one store per element.
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
