// The same work through the SDK for Go; prints what it saw.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/rdsdata"
	"github.com/aws/aws-sdk-go-v2/service/rdsdata/types"
	"github.com/aws/smithy-go"
)

var (
	resource = aws.String(os.Getenv("RESOURCE_ARN"))
	secret   = aws.String(os.Getenv("SECRET_ARN"))
	database = aws.String(os.Getenv("DATABASE"))
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	check(err)
	// This version of the SDK does not know AWS_ENDPOINT_URL_RDS_DATA yet.
	url := os.Getenv("AWS_ENDPOINT_URL_RDS_DATA")
	client := rdsdata.NewFromConfig(settings, func(options *rdsdata.Options) {
		options.EndpointResolver = rdsdata.EndpointResolverFromURL(url)
	})
	var seen []interface{}
	run := func(text string, transaction *string, values ...types.SqlParameter) {
		answer, err := client.ExecuteStatement(ctx, &rdsdata.ExecuteStatementInput{
			ResourceArn: resource, SecretArn: secret, Database: database,
			Sql: aws.String(text), TransactionId: transaction, Parameters: values,
		})
		var failed smithy.APIError
		if errors.As(err, &failed) {
			seen = append(seen, failed.ErrorCode(), failed.ErrorMessage())
			return
		}
		check(err)
		seen = append(seen, answer.NumberOfRecordsUpdated, answer.Records)
	}
	run("DROP TABLE IF EXISTS t", nil)
	run("CREATE TABLE t (id int, name text)", nil)
	begun, err := client.BeginTransaction(ctx, &rdsdata.BeginTransactionInput{
		ResourceArn: resource, SecretArn: secret, Database: database,
	})
	check(err)
	named := types.SqlParameter{
		Name: aws.String("t"), Value: &types.FieldMemberStringValue{Value: "gopher"},
	}
	run("SELECT set_config('app.tenant_id', :t, true)", begun.TransactionId, named)
	run("INSERT INTO t VALUES (1, 'é')", begun.TransactionId)
	run("SELECT id, name, NULL, repeat('x', 500000) FROM t", begun.TransactionId)
	ended, err := client.CommitTransaction(ctx, &rdsdata.CommitTransactionInput{
		ResourceArn: resource, SecretArn: secret, TransactionId: begun.TransactionId,
	})
	check(err)
	seen = append(seen, *ended.TransactionStatus)
	run("SELECT 1/0", nil)
	check(json.NewEncoder(os.Stdout).Encode(seen))
}
