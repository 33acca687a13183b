// Package quantd is a client for quantd: it quantizes slices, with the bits of the framework that the
// numerics names.
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

// NewClient returns a Client that uses connection, for example one that Dial returned. The caller has to
// close the connection.
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

// A Quantization describes how to quantize: with Min and Max, or with Scale. The zero value is a good
// default for all other fields.
type Quantization struct {
	// The range: one value each or, with an Axis, one value per channel.
	Min, Max []float32
	// The distance between neighbouring codes: one value; with an Axis, one per channel; with a
	// BlockSize, one per block, in C order.
	Scale []float32
	// The code that represents 0: as many as Scale, or none for zeros.
	ZeroPoint []int32
	// How many neighbouring elements along the Axis share a scale; 0 means that there are no blocks.
	BlockSize uint32
	// The dimension of the channels, -rank..rank-1; nil means one range or scale for the whole tensor.
	Axis *int32
	// From 2 to 16; 0 means as many as the codes' type has, and 8 for FakeQuantize.
	NumBits uint32
	// Whether to leave out the lowest code, like TensorFlow's narrow_range.
	NarrowRange bool
	// With Scale, the lowest and the highest code, instead of NumBits and NarrowRange; nil means all.
	QuantMin, QuantMax *int32
	// Whose last bit to reproduce; quantization.proto describes them. NUMERICS_UNSPECIFIED means
	// NUMERICS_TENSORFLOW with a range, and NUMERICS_ONNX with a scale.
	Numerics quantdv1.Numerics
	// With NUMERICS_TENSORFLOW_QUANTIZE_AND_DEQUANTIZE, whether codes lie on both sides of 0.
	SignedInput bool
	// What becomes of a value halfway between two codes, where the numerics has the choice.
	Rounding quantdv1.Rounding
}

// A Result is a fake-quantized tensor.
type Result struct {
	// In the input's shape.
	Output Tensor
	// The range that was actually used, nudged so that a code represents exactly zero; nil with a scale.
	NudgedRange *quantdv1.NudgedRange
	// The numerics that was used.
	Numerics quantdv1.Numerics
}

// A Gradient is the gradient of a loss with respect to FakeQuantize's arguments.
type Gradient struct {
	// In the inputs' shape.
	Inputs Tensor
	// One value per channel; none with a scale.
	Min, Max []float32
	// The range that was actually used, nudged so that a code represents exactly zero; nil with a scale.
	NudgedRange *quantdv1.NudgedRange
	// The numerics that was used.
	Numerics quantdv1.Numerics
}

// Codes are an n-dimensional array of integer codes.
type Codes struct {
	// As in Tensor.
	Shape []int64
	// Their type, such as DATA_TYPE_INT8.
	Type quantdv1.DataType
	// The codes in C order, little endian; those of 4 and 2 bits are packed, the first one in the low
	// bits.
	Data []byte
	// Scale and zero point, as Quantize used them; Dequantize ignores them.
	Parameters *quantdv1.AffineParameters
	// The range that was actually used; nil with a scale.
	NudgedRange *quantdv1.NudgedRange
	// The numerics that was used.
	Numerics quantdv1.Numerics
}

// By default, gRPC clients reject answers over 4 MiB.
var unlimited = grpc.MaxCallRecvMsgSize(math.MaxInt32)

// FakeQuantize rounds every element of input to the nearest value that a code represents. If the call
// fails, the error is an *Error.
//
// Give ctx a deadline. Without one, a call to a server that hangs never ends.
func (c *Client) FakeQuantize(ctx context.Context, input Tensor, q Quantization) (*Result, error) {
	response, err := c.service.FakeQuantize(ctx, &quantdv1.FakeQuantizeRequest{
		Input:  messageOf(input),
		Range:  q.rangeMessage(),
		Affine: q.affineMessage(),
		Spec:   q.specMessage(),
	}, unlimited)
	if err != nil {
		return nil, errorOf(err)
	}
	output, err := tensorOf(response.GetOutput())
	if err != nil {
		return nil, err
	}
	return &Result{
		Output:      output,
		NudgedRange: response.GetNudgedRange(),
		Numerics:    response.GetNumerics(),
	}, nil
}

// FakeQuantizeGradient returns the gradient of FakeQuantize with respect to its input, Min and Max.
// gradients is the gradient of the loss with respect to FakeQuantize's output, in the shape of inputs.
// inputs and q are the arguments of FakeQuantize. Errors and deadlines are the same as for FakeQuantize.
func (c *Client) FakeQuantizeGradient(ctx context.Context, gradients, inputs Tensor, q Quantization) (*Gradient, error) {
	response, err := c.service.FakeQuantizeGradient(ctx, &quantdv1.FakeQuantizeGradientRequest{
		Gradients: messageOf(gradients),
		Inputs:    messageOf(inputs),
		Range:     q.rangeMessage(),
		Affine:    q.affineMessage(),
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
		Numerics:    response.GetNumerics(),
	}, nil
}

// Quantize rounds every element of input to a code of outputType. Errors and deadlines are the same as
// for FakeQuantize.
func (c *Client) Quantize(ctx context.Context, input Tensor, q Quantization, outputType quantdv1.DataType) (*Codes, error) {
	response, err := c.service.Quantize(ctx, &quantdv1.QuantizeRequest{
		Input:      messageOf(input),
		Range:      q.rangeMessage(),
		Affine:     q.affineMessage(),
		Spec:       q.specMessage(),
		OutputType: outputType,
	}, unlimited)
	if err != nil {
		return nil, errorOf(err)
	}
	return &Codes{
		Shape:       response.GetOutput().GetShape(),
		Type:        response.GetOutput().GetDataType(),
		Data:        response.GetOutput().GetData(),
		Parameters:  response.GetParameters(),
		NudgedRange: response.GetNudgedRange(),
		Numerics:    response.GetNumerics(),
	}, nil
}

// Dequantize returns the values that codes represent. q is what Quantize was given. Errors and deadlines
// are the same as for FakeQuantize.
func (c *Client) Dequantize(ctx context.Context, codes Codes, q Quantization) (*Tensor, error) {
	response, err := c.service.Dequantize(ctx, &quantdv1.DequantizeRequest{
		Input: &quantdv1.Tensor{
			DataType: codes.Type,
			Shape:    codes.Shape,
			Storage:  &quantdv1.Tensor_Data{Data: codes.Data},
		},
		Range:      q.rangeMessage(),
		Affine:     q.affineMessage(),
		Spec:       q.specMessage(),
		OutputType: quantdv1.DataType_DATA_TYPE_FLOAT32,
	}, unlimited)
	if err != nil {
		return nil, errorOf(err)
	}
	output, err := tensorOf(response.GetOutput())
	if err != nil {
		return nil, err
	}
	return &output, nil
}

// rangeMessage returns nil if q has scales.
func (q Quantization) rangeMessage() *quantdv1.Range {
	if q.Scale != nil {
		return nil
	}
	return &quantdv1.Range{Min: q.Min, Max: q.Max, Axis: q.Axis}
}

// affineMessage returns nil if q has a range.
func (q Quantization) affineMessage() *quantdv1.AffineParameters {
	if q.Scale == nil {
		return nil
	}
	affine := &quantdv1.AffineParameters{Scale: q.Scale, ZeroPoint: q.ZeroPoint, Axis: q.Axis}
	if q.BlockSize != 0 {
		affine.BlockSize = &q.BlockSize
	}
	return affine
}

func (q Quantization) specMessage() *quantdv1.QuantizationSpec {
	spec := &quantdv1.QuantizationSpec{
		NarrowRange: q.NarrowRange,
		QuantMin:    q.QuantMin,
		QuantMax:    q.QuantMax,
		Numerics:    q.Numerics,
		SignedInput: q.SignedInput,
		Rounding:    q.Rounding,
	}
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
