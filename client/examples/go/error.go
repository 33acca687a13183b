package quantd

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An Error describes a failed call. Use errors.As to extract it from an error.
type Error struct {
	// The gRPC status code.
	Code codes.Code
	// What was wrong, what was expected and how to fix it.
	Message string
	// The reason for programs, such as "INVALID_RANGE"; empty if the error does not come from quantd.
	Reason string
	// The path of the field at fault, such as "range.min[3]"; empty if there is none.
	Field string
	// The numbers behind the error.
	Numbers map[string]string

	status *status.Status
}

func (e *Error) Error() string { return e.Message }

// GRPCStatus makes status.FromError and status.Code work with an Error.
func (e *Error) GRPCStatus() *status.Status { return e.status }

func errorOf(cause error) error {
	failed, ok := status.FromError(cause)
	if !ok {
		return cause
	}
	result := &Error{Code: failed.Code(), Message: failed.Message(), status: failed}
	for _, detail := range failed.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == "quantd" {
				result.Reason = detail.GetReason()
				result.Numbers = detail.GetMetadata()
			}
		case *errdetails.BadRequest:
			if violations := detail.GetFieldViolations(); len(violations) > 0 {
				result.Field = violations[0].GetField()
			}
		}
	}
	return result
}
